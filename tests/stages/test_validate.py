"""Documents, judged in one pass: `schemas.validate`, `schemas.prolog` and `schemas.declarations`."""

import copy
import hashlib
import io
import random
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from schemas import xsd
from schemas.catalogue import MessageType
from schemas.codes import Code, Finding
from schemas.declarations import Declarations
from schemas.strict import STRICT
from schemas.validate import Limits, Validated, validate
from tests.stages.dimona import (
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
    "valid_three_forms": [],
    "block_not_form": [205],
    "document_type": [102],
    "invalid_missing_person": [312],
    "invalid_starting_date": [312],
    "invalid_worker_type": [312],
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


class DiskFull:
    """A sink that has no room for the second form."""

    def __init__(self) -> None:
        self.forms = 0

    def __call__(self, form: bytes) -> None:
        """Take a form, if there is room."""
        self.forms += 1
        if self.forms == 2:
            raise OSError(28, "No space left on device")


class StopsSilently:
    """A tree parser that builds the first piece and drops the others without a word."""

    def __init__(self, kind: MessageType) -> None:
        self._parser: etree.XMLPullParser[etree._Element] = etree.XMLPullParser(
            events=("start", "end"), tag=kind.root, **STRICT
        )
        self._stopped = False
        self.read_events = self._parser.read_events

    def feed(self, piece: bytes) -> None:
        """Build the first piece only."""
        if not self._stopped:
            self._parser.feed(piece)
        self._stopped = True

    def close(self) -> None:
        """Everything is fine."""


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
    assert verdict == Validated("20231", 3, hashlib.sha256(content).hexdigest())
    assert 3 == len(forms)


def test_each_form_is_a_document_of_its_own_in_the_order_of_the_file() -> None:
    """It says UTF-8, is valid, has the root of the file, and exactly the form of the file."""
    _, forms = judge(VALID)
    whole = etree.fromstring(VALID)
    for form, original in zip(forms, whole, strict=True):
        assert form.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
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
    assert codes(document(FORM.replace("<StartingDate>", element))) == [312]


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
    ("good", "bad", "detail"),
    [
        (">STU<", ">STUDENT<", "form 2, WorkerType: cvc-enumeration-valid"),
        (">2026-11-20</EndingDate>", ">GEHEIM</EndingDate>", "form 3, EndingDate: cvc-datatype-valid-1-2-1"),
        ("<EndingDate>2026-12-20</EndingDate>", "<GEHEIM/>", "form 2, an unknown element: element-content"),
        ("</Dimona>", "GEHEIM</Dimona>", "Dimona: cvc-complex-type-2-3"),
    ],
)
def test_an_invalid_document_is_told_where_and_why(good: str, bad: str, detail: str) -> None:
    """By form, element and rule of the standard; nothing that the sender wrote is repeated."""
    verdict, _ = judge(VALID.replace(good.encode(), bad.encode()))
    assert verdict == (Finding(Code.FILE_INVALID, detail),)


def test_a_syntax_fault_is_told_by_its_place_only() -> None:
    """The library's own words would quote the names in the document."""
    verdict, _ = judge(document("\n" + FORM.replace("</Identification>", "</GEHEIM>")))
    assert verdict == (Finding(Code.XML_SYNTAX, "not well-formed at line 3, column 36"),)


def test_a_relative_namespace_is_only_a_warning() -> None:
    """What the library merely warns of does not refuse a file."""
    assert codes(document(FORM, root=ROOT.replace(">", ' xmlns:a="relative">'))) == []


def test_a_stream_that_gives_single_bytes_is_judged_alike() -> None:
    """The verdict is about the bytes, not about how they came."""
    forms: list[bytes] = []
    stream: BinaryIO = GivesOneByte(VALID)  # type: ignore[assignment]  # typeshed parts raw streams from BinaryIO
    assert (validate(stream, dimona(), LIMITS, forms.append), forms) == judge(VALID)


def test_trouble_of_the_sink_is_not_a_fault_of_the_document() -> None:
    """It comes out as it was raised, and no further form is given out."""
    sink = DiskFull()
    with pytest.raises(OSError, match="No space left"):
        validate(io.BytesIO(VALID), dimona(), LIMITS, sink)
    assert 2 == sink.forms


def test_a_tree_without_the_end_of_its_root_is_not_trusted() -> None:
    """Should the parser that builds it ever stop early, no form is lost unnoticed."""
    kind = dimona()
    reading = Declarations(kind, XSD, "UTF-8", 100, lambda _: None)
    reading._tree = StopsSilently(kind)  # type: ignore[assignment]  # a double
    content = document(FORM, FORM)
    assert reading.feed(content[:500]) is None
    assert reading.feed(content[500:]) is None
    assert reading.close() == Finding(Code.XML_SYNTAX, "not well-formed: the root element has no end")


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
        assert verdict


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


@pytest.mark.parametrize("size", [1, 61, 65536])
def test_the_verdict_is_that_of_validating_the_whole_tree(size: int) -> None:
    """Over mutants of the sample, whatever the size of the pieces; and what is given out is valid by itself."""
    schema = xsd.compiled(XSD)
    kind = dimona()
    wrong = []
    accepted = 0
    for seed in range(20 if size == 1 else 600):
        content = mutant(seed)
        forms: list[bytes] = []
        reading = Declarations(kind, XSD, "UTF-8", 100, forms.append)
        findings = [reading.feed(content[start : start + size]) for start in range(0, len(content), size)]
        valid = not any(findings) and reading.close() is None
        accepted += valid
        if valid != schema.validate(etree.fromstring(content, etree.XMLParser(**STRICT))):
            wrong.append(seed)
        if not all(schema.validate(etree.fromstring(form)) for form in forms):
            wrong.append(seed)
    assert wrong == []
    assert accepted > 0
