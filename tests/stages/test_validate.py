"""Documents, judged as a whole: `schemas.validate`, `schemas.prolog` and what they lead to."""

import copy
import hashlib
import io
import random
import re
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from schemas import xsd
from schemas.anomaly import Severity
from schemas.codes import Code, Finding
from schemas.identifiers import Kind
from schemas.inspection import Employer
from schemas.refusal import Refused
from schemas.validate import Limits, Validated, validate
from tests.stages.dimona import (
    DAY,
    DECLARATION,
    END,
    FORM,
    LIMITS,
    ROOT,
    SAMPLES,
    VALID,
    XSD,
    XSI,
    codes,
    dimona,
    document,
    judge,
)

SAMPLE_CODES = {
    "valid_every_declaration": [],
    "valid_older_version": [],
    "valid_three_forms": [],
    "block_not_form": [205],
    "document_type": [102],
    "invalid_later_than_its_version": [255],
    "invalid_missing_person": [255],
    "invalid_starting_date": [255],
    "invalid_worker_type": [255],
    "no_form": [157],
    "not_well_formed": [102],
    "other_form_type": [158],
    "unknown_schema_version": [88],
}

ROOTS = {
    "no schema named": (f'<Dimona xmlns:xsi="{XSI}">', [136]),
    "named without xsi": ('<Dimona noNamespaceSchemaLocation="Dimona_20231.xsd">', [137]),
    "named by schemaLocation": (f'<Dimona xmlns:xsi="{XSI}" xsi:schemaLocation="urn:a Dimona_20231.xsd">', [137]),
    "named by both": (ROOT.replace(">", ' xsi:schemaLocation="urn:a a.xsd">'), [137]),
    "named by an older standard": (ROOT.replace("2001", "1999"), [137]),
    "version unknown": (ROOT.replace("20231", "20299"), [88]),
    "version not a version": (ROOT.replace("_20231", ""), [88]),
    "schema elsewhere": (ROOT.replace("Dimona_20231.xsd", "http://127.0.0.1:9/Dimona_20231.xsd"), [88]),
    "schema up the tree": (ROOT.replace("Dimona_20231.xsd", "../acrf/ACRF_20231.xsd"), [88]),
    "schema of another type": (ROOT.replace("Dimona_", "DmfAOriginal_"), [135]),
    "another root": (ROOT.replace("<Dimona", "<DmfAOriginal"), [89]),
    "another root and its schema": (ROOT.replace("Dimona", "DmfAOriginal"), [89, 135]),
    "a default namespace": (ROOT.replace(" xmlns", ' xmlns="urn:a" xmlns', 1), [139]),
    "a prefix": (ROOT.replace("<Dimona", '<a:Dimona xmlns:a="urn:a"'), [139]),
    "everything wrong": ('<a:Other xmlns:a="urn:a">', [139, 89, 136]),
}

SUPPORTED = {
    "UTF-8": document(FORM),
    "UTF-8 in small letters": document(FORM).replace(b"UTF-8", b"utf-8"),
    "no declaration": document(FORM, declaration=""),
    "no encoding declared": document(FORM, declaration="<?xml version='1.0' standalone='yes' ?>"),
    "a byte order mark": b"\xef\xbb\xbf" + document(FORM),
    "a byte order mark alone": b"\xef\xbb\xbf" + document(FORM, declaration=""),
    "US-ASCII": document(FORM).replace(b"UTF-8", b"US-ASCII"),
    "ISO-8859-1": document(FORM.replace("VOORBEELD<", "ZO\xc9<"))
    .decode()
    .replace("UTF-8", "ISO-8859-1")
    .encode("latin-1"),
}

UNSUPPORTED = {
    "UTF-16": document(FORM).decode().replace("UTF-8", "UTF-16").encode("utf-16"),
    "UTF-16LE": document(FORM, declaration="").decode().encode("utf-16-le"),
    "UTF-16BE": document(FORM, declaration="").decode().encode("utf-16-be"),
    "UTF-32": document(FORM).decode().encode("utf-32"),
    "UTF-32BE": document(FORM, declaration="").decode().encode("utf-32-be"),
    "UTF-7": b"+/v8-" + document(FORM),
    "EBCDIC": document(FORM).decode().encode("cp037"),
    "declared UTF-7": document(FORM).replace(b"UTF-8", b"UTF-7"),
    "declared UTF-16": document(FORM).replace(b"UTF-8", b"UTF-16"),
    "declared windows-1252": document(FORM).replace(b"UTF-8", b"windows-1252"),
    "declared nothing": document(FORM).replace(b"UTF-8", b" "),
    "marked UTF-8, declared otherwise": b"\xef\xbb\xbf" + document(FORM).replace(b"UTF-8", b"ISO-8859-1"),
}

BROKEN = {
    "XML 1.1": document(FORM).replace(b'"1.0"', b'"1.1"'),
    "no version": document(FORM, declaration='<?xml encoding="UTF-8"?>'),
    "a second declaration": DECLARATION.encode() + document(FORM),
    "space before the declaration": b" " + document(FORM),
    "a DOCTYPE": document(FORM, declaration=f"{DECLARATION}<!DOCTYPE Dimona>"),
    "an external DTD": document(FORM, declaration='<!DOCTYPE Dimona SYSTEM "http://127.0.0.1:9/a.dtd">'),
    "an external entity": document("&a;", declaration='<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>'),
    "not in its encoding": document(FORM).replace(b"VOORBEELD<", b"ZO\xc9<"),
    "not US-ASCII": document(FORM.replace("VOORBEELD<", "ZO\xc9<")).replace(b"UTF-8", b"US-ASCII"),
    "an undeclared entity": document(FORM.replace("VOORBEELD<", "&eacute;<")),
    "cut off in a form": document(FORM)[:-40],
    "cut off before the end": document(FORM).removesuffix(END.encode()),
    "cut off in the last tag": document(FORM)[:-1],
    "something behind the end": document(FORM) + b"<a/>",
    "a NUL": document(FORM) + b"\0",
    "a NUL in a text": document(FORM).replace(b"VOORBEELD<", b"VOOR\0BEELD<"),
    "text only": b"FI.DIMN.123456.20261121.00001.R.1.1",
    "gzip": b"\x1f\x8b\x08" + bytes(20),
}


def ids(value: object) -> str | None:
    """Names for the parametrised cases; the documents themselves would be too long."""
    return value if isinstance(value, str) else ""


class GivesOneByte(io.RawIOBase):
    """A stream that never gives more than one byte at a time, as a pipe may."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        """The next byte."""
        return self._content.read(min(size, 1))

    def tell(self) -> int:
        """How far it was read."""
        return self._content.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        """To any place, as in a file."""
        return self._content.seek(offset, whence)


class DiskFull:
    """A sink that has no room for the second form."""

    def __init__(self) -> None:
        self.forms = 0

    def __call__(self, form: bytes) -> None:
        """Take a form, if there is room."""
        self.forms += 1
        if self.forms == 2:
            raise OSError(28, "No space left on device")


@pytest.mark.parametrize(("name", "expected"), SAMPLE_CODES.items())
def test_a_shipped_sample_gets_the_code_of_its_name(name: str, expected: list[int]) -> None:
    """The samples are the first thing a newcomer sends."""
    assert codes((SAMPLES / f"{name}.xml").read_bytes()) == expected


def test_every_shipped_sample_is_judged_here() -> None:
    """None is shipped that nobody looked at."""
    assert sorted(SAMPLE_CODES) == sorted(path.stem for path in SAMPLES.iterdir())


def test_a_valid_document_tells_version_forms_and_digest() -> None:
    """The digest is that of the bytes given, mark and line ends included."""
    content = b"\xef\xbb\xbf" + VALID
    verdict, forms = judge(content)
    assert isinstance(verdict, Validated)
    assert (verdict.root, verdict.schema_version, verdict.forms) == ("Dimona", "20231", len(forms))
    assert verdict.sha256 == hashlib.sha256(content).hexdigest()
    assert (verdict.anomalies, verdict.warnings) == ((), 0)


def test_each_form_is_a_document_of_its_own_in_the_order_of_the_file() -> None:
    """It says UTF-8, is valid, has the root of the file, and exactly the form of the file, byte for byte."""
    _, forms = judge(VALID)
    whole = etree.fromstring(VALID)
    for form, original in zip(forms, whole, strict=True):
        assert form.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n')
        assert form[form.index(b"<Form>") : -len(END)] in VALID
        assert codes(form) == []
        alone = etree.fromstring(form)
        assert (alone.tag, dict(alone.attrib), alone.nsmap) == (whole.tag, dict(whole.attrib), whole.nsmap)
        original.tail = None
        assert [etree.tostring(child, method="c14n") for child in alone] == [etree.tostring(original, method="c14n")]


def test_a_form_in_another_encoding_goes_on_in_utf_8() -> None:
    """The characters stay the same, the bytes do not."""
    _, forms = judge(SUPPORTED["ISO-8859-1"])
    assert "ZO\xc9" == etree.fromstring(forms[0]).findtext(".//WorkerName")


def test_comments_and_instructions_do_not_go_on() -> None:
    """They are no part of a declaration; the value around them stays whole."""
    _, forms = judge(document("<!-- a --><?b?>", FORM.replace("VOORBEELD<", "VOOR<!-- c -->BEELD<"), "<!-- d -->"))
    assert b"<!--" not in forms[0]
    assert b"<?b?>" not in forms[0]
    assert "VOORBEELD" == etree.fromstring(forms[0]).findtext(".//WorkerName")


@pytest.mark.parametrize(("root", "expected"), ROOTS.values(), ids=ROOTS)
def test_a_root_gets_all_the_codes_of_its_faults(root: str, expected: list[int]) -> None:
    """Namespace, name and schema are told together; no schema is fetched from anywhere."""
    name = root.partition(" ")[0].removeprefix("<")
    content = document(FORM, root=root).replace(END.encode(), f"</{name}>".encode())
    assert codes(content) == expected


def test_space_around_the_name_of_the_schema_does_not_matter() -> None:
    """An anyURI is collapsed before it is compared."""
    assert codes(document(FORM, root=ROOT.replace("Dimona_20231.xsd", " Dimona_20231.xsd\n"))) == []


@pytest.mark.parametrize("content", SUPPORTED.values(), ids=SUPPORTED)
def test_a_supported_encoding_is_read(content: bytes) -> None:
    """UTF-8, US-ASCII and ISO-8859-1, declared in any of the ways of the standard."""
    assert codes(content) == []


@pytest.mark.parametrize("content", UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_any_other_encoding_is_refused(content: bytes) -> None:
    """Also where the XML library would read it."""
    assert codes(content) == [138]


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_what_is_not_well_formed_or_has_a_dtd_is_refused(content: bytes) -> None:
    """With the code of syntax, wherever in the file it is."""
    assert codes(content) == [102]


@pytest.mark.parametrize("content", [b"", b" \r\n\t", b"\xef\xbb\xbf", b" " * 100_000_000], ids=ids)
def test_a_file_of_nothing_has_no_data(content: bytes) -> None:
    """Empty, blank, marked and blank, or a hundred megabytes of spaces."""
    assert codes(content) == [134]


@pytest.mark.parametrize("block", ["<Formulier/>", '<a:Form xmlns:a="urn:a"/>', '<Form xmlns="urn:a"/>', "<form/>"])
def test_a_block_that_is_not_a_form_is_refused(block: str) -> None:
    """Also behind a good one, and also when only its namespace differs."""
    assert codes(document(FORM, block)) == [205]


@pytest.mark.parametrize("text", ["DMFA", "dimona", " DIMONA", ""])
def test_a_form_of_another_type_is_refused(text: str) -> None:
    """The Identification has to be exactly that of the purpose in the file name."""
    assert codes(document(FORM, FORM.replace(">DIMONA<", f">{text}<"))) == [158]


def test_a_form_that_names_a_schema_of_its_own_is_refused() -> None:
    """It would go on to readers who may fetch it."""
    element = f'<DimonaIn xmlns:xsi="{XSI}" xsi:schemaLocation="urn:a http://127.0.0.1:9/a.xsd">'
    assert codes(document(FORM.replace("<DimonaIn>", element))) == [137]


def test_a_value_of_another_schema_type_is_refused() -> None:
    """``xsi:type`` cannot replace the type that the schema gives an element."""
    element = f'<StartingDate xmlns:xsi="{XSI}" xsi:type="EndingDate">'
    assert codes(document(FORM.replace("<StartingDate>", element))) == [255]


def test_as_many_forms_as_allowed_are_taken_and_no_more() -> None:
    """The bound itself is allowed."""
    content = document(FORM, FORM, FORM)
    assert codes(content, Limits(10**6, 3)) == []
    assert codes(content, Limits(10**6, 2)) == [275]


def test_as_many_bytes_as_allowed_are_taken_and_no_more() -> None:
    """The bound itself is allowed."""
    assert codes(VALID, Limits(len(VALID), 3)) == []
    assert codes(VALID, Limits(len(VALID) - 1, 3)) == [184]


@pytest.mark.parametrize(
    ("good", "bad", "code", "detail"),
    [
        (">STU<", ">STUDENT<", 255, "1 anomaly in 1 form; first form 2, WorkerType: value"),
        (
            ">2026-11-20</EndingDate>",
            ">GEHEIM</EndingDate>",
            255,
            "1 anomaly in 1 form; first form 3, EndingDate: format",
        ),
        (
            "<EndingDate>2026-12-20</EndingDate>",
            "<GEHEIM/>",
            255,
            "1 anomaly in 1 form; first form 2, an unknown element: unknown",
        ),
        ("</Dimona>", "GEHEIM</Dimona>", 205, "block 4"),
        ("</Dimona>", "<![CDATA[GEHEIM]]></Dimona>", 312, "the document as a whole breaks its schema"),
    ],
)
def test_an_invalid_document_is_told_where_and_why(good: str, bad: str, code: int, detail: str) -> None:
    """By form, element and rule; nothing that the sender wrote is repeated in what the acknowledgement says."""
    verdict, _ = judge(VALID.replace(good.encode(), bad.encode()))
    assert isinstance(verdict, Refused)
    assert verdict.findings == (Finding(Code(str(code)), detail),)


def test_a_syntax_fault_is_told_by_its_place_only() -> None:
    """The library's own words would quote the names in the document."""
    content = document("\n" + FORM.replace("</Identification>", "</GEHEIM>"))
    verdict, _ = judge(content)
    assert isinstance(verdict, Refused)
    assert verdict.findings == (Finding(Code.XML_SYNTAX, "not well-formed at line 3, column 36"),)
    (anomaly,) = verdict.anomalies
    assert (anomaly.broken.rule, anomaly.form, anomaly.place.line) == ("syntax", 0, 3)
    assert content[anomaly.place.offset :].startswith(b"GEHEIM>")


def test_a_number_with_wrong_check_digits_is_found_however_it_is_written() -> None:
    """Neither comments nor CDATA, references, attributes or space hide it; it is told where it stands."""
    good, bad = "88070412305", "88070412306"
    ways = [
        bad,
        "<!-- -->88070412306",
        "880704<!-- 1 -->12306",
        "<![CDATA[88070412306]]>",
        "8807041230&#54;",
        f" {bad}\n",
    ]
    for way in [*ways, "880704<?a <INSS>88070412305?>12306"]:
        for tag in ("<INSS>", "<INSS >", f'<INSS xmlns:xsi="{XSI}" xsi:type="INSS">'):
            content = document(FORM, FORM.replace(f"<INSS>{good}", f"{tag}{way}"))
            verdict, _ = judge(content)
            assert isinstance(verdict, Refused)
            (anomaly,) = verdict.anomalies
            assert (anomaly.broken.error_id, anomaly.form) == ("00024-004", 2)
            assert content[anomaly.place.offset :].startswith(tag.encode())


def test_every_employer_is_named_however_it_is_written() -> None:
    """Each number once, by its kind, without the zeros before it."""
    form = FORM.replace(">123456749<", "><!-- 1 --><![CDATA[123]]>4567&#x34;9<")
    verdict, forms = judge(document(FORM, form))
    assert isinstance(verdict, Validated)
    assert Employer(Kind.ONSS, "123456749") in verdict.employers
    assert verdict.employers == judge(document(FORM))[0].employers  # type: ignore[union-attr]  # it is valid
    assert b">123456749<" in forms[1].replace(b"&#x34;", b"4")


def test_a_reference_is_told_as_it_was_meant() -> None:
    """With the characters that references stand for, and without space around it."""
    start, _, end = FORM.partition("</ReferenceNbr>")
    form = f"{start.rpartition('>')[0]}> A&amp;B &#x43; </ReferenceNbr>{end}"
    verdict, _ = judge(document(form))
    assert isinstance(verdict, Validated)
    assert verdict.references == ("A&B C",)


def test_what_only_warns_refuses_nothing_and_is_told_where_it_is() -> None:
    """A form made in the future: accepted, with a warning at its date; beside a fault that refuses, told as well."""
    late = re.sub("<FormCreationDate>[^<]*", "<FormCreationDate>2026-11-22", FORM)
    content = document(FORM, late, late)
    verdict, forms = judge(content)
    assert isinstance(verdict, Validated)
    assert (verdict.warnings, len(forms)) == (2, 3)
    assert [anomaly.form for anomaly in verdict.anomalies] == [2, 3]
    for anomaly in verdict.anomalies:
        assert (anomaly.broken.rule, anomaly.broken.error_id) == ("form.creation-date", "00218-008")
        assert anomaly.broken.severity is Severity.WARNING
        assert anomaly.place.path == f"/Dimona[1]/Form[{anomaly.form}]/FormCreationDate[1]"
        assert content[anomaly.place.offset :].startswith(b"<FormCreationDate>2026-11-22")
    refused, _ = judge(document(late, FORM.replace(">88070412305<", ">88070412306<")))
    assert isinstance(refused, Refused)
    assert [anomaly.broken.severity.value for anomaly in refused.anomalies] == ["W", "B"]
    assert (refused.total, [finding.code for finding in refused.findings]) == (2, ["255"])


def test_a_relative_namespace_is_only_a_warning() -> None:
    """What the library merely warns of does not refuse a file."""
    assert codes(document(FORM, root=ROOT.replace(">", ' xmlns:a="relative">'))) == []


def test_a_stream_that_gives_single_bytes_is_judged_alike() -> None:
    """The verdict is about the bytes, not about how they came."""
    for content in (VALID, VALID.replace(b">STU<", b">STUDENT<"), VALID.replace(b"</Form>", b"</Forme>")):
        forms: list[bytes] = []
        stream: BinaryIO = GivesOneByte(content)  # type: ignore[assignment]  # typeshed parts raw streams from BinaryIO
        assert (validate(stream, [dimona()], LIMITS, forms.append, DAY), forms) == judge(content)


def test_trouble_of_the_sink_is_not_a_fault_of_the_document() -> None:
    """It comes out as it was raised, and no further form is given out."""
    sink = DiskFull()
    with pytest.raises(OSError, match="No space left"):
        validate(io.BytesIO(VALID), [dimona()], LIMITS, sink, DAY)
    assert 2 == sink.forms


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([ROOT, FORM, END, "<", "&", "]]>", "<![CDATA[", "\0", " ", "é", "<Form>"])).map(
        lambda parts: "".join(parts).encode()
    )
)
def test_any_bytes_are_valid_or_have_a_finding(content: bytes) -> None:
    """Nothing raises, a refusal is never empty, and a valid document gives out what it counts."""
    verdict, forms = judge(content)
    if isinstance(verdict, Validated):
        assert verdict.forms == len(forms) > 0
    else:
        assert verdict.findings


def mutant(seed: int) -> bytes:
    """The valid sample with one to three changes that a careless program might make."""
    chance = random.Random(seed)
    root = etree.fromstring(VALID)
    for _ in range(chance.randint(1, 3)):
        element = chance.choice([element for element in root.iter() if element is not root])
        parent = element.getparent()
        assert parent is not None
        match chance.randrange(8):
            case 0:
                parent.remove(element)
            case 1:
                parent.insert(parent.index(element), copy.deepcopy(element))
            case 2:
                parent.append(element)
            case 3:
                element.tag = chance.choice(["Form", "INSS", "EndingDate", "Unknown"])
            case 4:
                element.set("attribute", "value")
            case 5:
                element.tail = chance.choice(["text", " ", None])
            case _:
                element.text = chance.choice(
                    [
                        "",
                        " ",
                        "0",
                        "-1",
                        "007",
                        "1e3",
                        "2026-02-29",
                        "2028-02-29",
                        "2026-01-01Z",
                        "+2026-01-01",
                        "9999-12-31",
                        "24:00:00.000",
                        "23:59:60.000",
                        "12:00:00",
                        "12:00:00.000Z",
                        "XXX",
                        "F1",
                        "A" * 49,
                        "123456749",
                        "00000000097",
                        "99999999999",
                        "2359",
                        "2400",
                        " 2026-12-01 ",
                        "\u0661",
                    ]
                )
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def test_the_verdict_is_that_of_validating_the_whole_tree() -> None:
    """Over mutants of the sample; what is given out is valid by itself, and a refusal says where it has its reason."""
    schema = xsd.compiled(XSD)
    wrong = []
    accepted = 0
    for seed in range(600):
        content = mutant(seed)
        verdict, forms = judge(content)
        valid = isinstance(verdict, Validated)
        alone = all(schema.validate(etree.fromstring(form)) for form in forms)
        good = schema.validate(etree.fromstring(content)) and not rules_broken(verdict)
        located = (
            isinstance(verdict, Validated) or bool(verdict.anomalies) or verdict.findings[0].code not in {"255", "158"}
        )
        accepted += valid
        if valid is not good or not alone or not located:
            wrong.append(seed)
    assert wrong == []
    assert 0 < accepted < 600


def rules_broken(verdict: Validated | Refused) -> bool:
    """Whether it is refused for what no schema says: a check digit, a form beside its place."""
    if isinstance(verdict, Validated):
        return False
    kinds = {anomaly.broken.rule.partition(".")[0] for anomaly in verdict.anomalies}
    return kinds == {"identifier"} or verdict.findings[0].code in {"205", "157"}
