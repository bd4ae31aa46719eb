"""Wrapping against the signed properties of XAdES: what is verified is kept, what would be read is the attacker's.

Beside our verdict stands signxml's own XAdES verifier, which takes any signature anywhere.
"""

import pytest

from signing.evidence import Reason
from tests.cms_builder import ACCEPTED, REFUSED
from tests.xades_builder import FORMAT, TYPE, XADES, XadesDraft, judge, signing_time
from tests.xml_builder import DOCUMENT, DS, EXCLUSIVE, XmlBench, canonical, inserted, reference, transform

OLD = "2020-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> XmlBench:
    """An accepted authority and a signer."""
    return XmlBench.open(tmp_path_factory.mktemp("bench"))


@pytest.fixture
def draft(bench: XmlBench) -> XadesDraft:
    """A good XAdES signature."""
    return XadesDraft(bench.signer)


def forged(draft: XadesDraft, identifier: str = ' Id="p2"') -> str:
    """SignedProperties that nobody signed."""
    other = XadesDraft(draft.signer)
    other.identifier, other.time = identifier, signing_time(OLD)
    return other.signed_properties()


def qualified(properties: str, target: str = "#s") -> str:
    """QualifyingProperties around some properties."""
    return (
        f'<xades:QualifyingProperties xmlns:xades="{XADES}" Target="{target}">{properties}</xades:QualifyingProperties>'
    )


def test_nothing_wrapped(bench: XmlBench, draft: XadesDraft) -> None:
    """Valid: what the vectors below wrap is good (EN 319 132-1, 6)."""
    assert (ACCEPTED, ACCEPTED) == judge(bench, draft)


def test_a_second_qualifying_properties_before(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the first properties that a reader finds are forged."""
    draft.around = f"<ds:Object>{qualified(forged(draft))}</ds:Object>{{}}"
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


def test_a_second_qualifying_properties_behind(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the last properties that a reader finds are forged."""
    draft.behind = f"<ds:Object>{qualified(forged(draft))}</ds:Object>"
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


def test_two_qualifying_properties_in_one_object(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: an Object holds one QualifyingProperties (EN 319 132-1, 4.4.2)."""
    document = draft.dump().replace("</ds:Object>", f"{qualified(forged(draft))}</ds:Object>")
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, document)


def test_two_signed_properties_in_one_qualifying_properties(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: which of them counts would be the reader's choice."""
    draft.unsigned = forged(draft)
    assert (Reason.SHAPE, REFUSED) == judge(bench, draft)


def test_forged_properties_under_the_id_of_the_signed_ones(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the signed ones are kept elsewhere in the document, with the same ID."""
    kept = draft.signed_properties()
    document = draft.dump().replace(kept, forged(draft, ' Id="p"'))
    assert Reason.SHAPE is judge(bench, document.replace("</Forms>", f"<Wrapper>{kept}</Wrapper></Forms>"))[0]


@pytest.mark.parametrize("spelling", ["ID", "id", "xml:id"])
def test_the_id_of_the_signed_properties_in_another_spelling(spelling: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: ID, Id, id and xml:id are each an ID to somebody."""
    document = draft.dump(DOCUMENT.replace("<Form ", f'<Other {spelling}="p"/><Form '))
    assert Reason.SHAPE is bench.ours(document)


def test_signed_properties_outside_the_signature(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: what the reference finds is in the document, what stands in the Object is forged."""
    kept = draft.signed_properties()
    document = DOCUMENT.replace("</Forms>", f"{kept}</Forms>")
    draft.covered = canonical(document).decode()
    signed = draft.dump(document)
    head, tail = signed.rsplit(kept, 1)
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, head + forged(draft) + tail)


def test_qualifying_properties_outside_the_signature(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: they belong into an Object of the signature that they qualify (EN 319 132-1, 4.4.1)."""
    document = inserted(DOCUMENT, draft.qualifying())
    draft.covered = canonical(document).decode()
    signature = draft.draft().signature()
    start, end = signature.index("<ds:Object>"), signature.index("</ds:Object>") + len("</ds:Object>")
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, inserted(document, signature[:start] + signature[end:]))


def test_qualifying_properties_beside_the_object(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: they stand in the Signature itself (XMLDSig, 4.2)."""
    document = draft.dump().replace("<ds:Object>", "").replace("</ds:Object>", "")
    assert (Reason.SHAPE, REFUSED) == judge(bench, document)


def test_qualifying_properties_one_level_down(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: something else stands between Object and properties (EN 319 132-1, 4.4.1)."""
    document = (
        draft.dump().replace("<ds:Object>", "<ds:Object><Hidden>").replace("</ds:Object>", "</Hidden></ds:Object>")
    )
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, document)


def test_something_else_in_the_object(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: whatever stands beside the properties is signed by nobody (XMLDSig, 4.5)."""
    document = draft.dump().replace("</ds:Object>", "<Forms/></ds:Object>")
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, document)


def test_a_second_object(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: so is another Object."""
    draft.behind = "<ds:Object><Forms/></ds:Object>"
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


def test_text_in_the_object(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: so is text."""
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft.dump().replace("</ds:Object>", "Evil</ds:Object>"))


def test_properties_by_reference(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: properties that lie elsewhere are not fetched (EN 319 132-1, 4.4.3)."""
    elsewhere = f'<xades:QualifyingPropertiesReference xmlns:xades="{XADES}" URI="http://127.0.0.1:9/#p"/>'
    assert Reason.SHAPE is bench.ours(draft.dump().replace("</ds:Object>", f"{elsewhere}</ds:Object>"))


@pytest.mark.parametrize("target", ["", "s", "#", "#doc", "#p", "#r", "#other", " #s", "http://127.0.0.1:9/#s"])
def test_a_target_that_is_not_the_signature(target: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the properties qualify something else (EN 319 132-1, 4.3.1)."""
    draft.target = f' Target="{target}"'
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


def test_no_target(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the properties qualify nothing (EN 319 132-1, 4.3.1)."""
    draft.target = ""
    assert (Reason.SHAPE, REFUSED) == judge(bench, draft)


def test_a_signature_without_an_id(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: nothing can target it."""
    draft.attributes = ""
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


def test_a_target_that_is_empty_for_a_signature_without_an_id(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: nothing names nothing."""
    draft.attributes, draft.target = "", ' Target="#"'
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


@pytest.mark.parametrize(
    "kind",
    [
        "",
        ' Type=""',
        ' Type="http://uri.etsi.org/01903/v1.3.2#SignedProperties"',
        ' Type="http://uri.etsi.org/01903#SignedProperties "',
        ' Type="http://uri.etsi.org/01903#signedproperties"',
        f' Type="{DS}Object"',
        f' Type="{DS}Manifest"',
    ],
)
def test_a_wrong_type_for_the_signed_properties(kind: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: a reader who looks for the Type finds nothing signed (EN 319 132-1, 4.4.2)."""
    draft.pointer = f'{kind} URI="#p"'
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


@pytest.mark.parametrize("kind", [TYPE, f"{DS}Manifest", "http://uri.etsi.org/01903#CountersignedSignature"])
def test_a_type_for_the_document(kind: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the document is no property, no list of digests and nobody else's signature."""
    draft.subject = f' Id="r" Type="{kind}" URI=""'
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


def test_unsigned_properties_that_look_signed(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: an Object, but no reference to it: plain XML-DSig with forged properties."""
    plain = bench.draft()
    plain.attributes = ' Id="s"'
    plain.behind = f"<ds:Object>{draft.qualifying()}</ds:Object>"
    assert (Reason.SHAPE, REFUSED) == judge(bench, plain.dump())


def test_two_references_to_the_properties(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: nothing covers the document."""
    said = canonical(draft.signed_properties()).decode()
    draft.covered, draft.subject, draft.subject_transforms = said, draft.pointer, draft.pointer_transforms
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


def test_two_references_to_the_document(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: nothing covers the properties."""
    document = bench.draft(reference(DOCUMENT) * 2)
    document.attributes, document.behind = ' Id="s"', f"<ds:Object>{draft.qualifying()}</ds:Object>"
    assert (Reason.SHAPE, REFUSED) == judge(bench, document.dump())


def test_a_third_reference_to_a_form(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: a part of the document may not be signed for itself."""
    form = '<Form Id="f"><Name>Invented</Name></Form>'
    draft.more_references = reference(form, uri=' URI="#f"', transforms=transform(EXCLUSIVE))
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


def test_the_references_in_the_other_order(bench: XmlBench, draft: XadesDraft) -> None:
    """Valid: the Type says which is which, not the place; what is handed on is still the document."""
    draft.order = (1, 0)
    assert (ACCEPTED, ACCEPTED) == judge(bench, draft)


def test_the_signed_document_in_the_object(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: XSW 8 with properties: the document moves beside them, a forged one around the signature."""
    draft.subject = ' Id="r" URI="#doc"'
    draft.behind = f"<ds:Object>{DOCUMENT}</ds:Object>"
    evil = DOCUMENT.replace('"doc"', '"evil"').replace('"f"', '"e"').replace("Invented", "Evil")
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft.dump(evil))


def test_a_reference_to_the_object_around_the_properties(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the reference is to the SignedProperties themselves (EN 319 132-1, 4.4.2)."""
    content = f'<ds:Object xmlns:ds="{DS}" Id="o">{draft.qualifying()}</ds:Object>'
    covered = canonical(content).decode()
    references = reference(DOCUMENT, uri=draft.subject)
    references += reference(covered, uri=f' Type="{TYPE}" URI="#o"', transforms=transform(EXCLUSIVE))
    plain = bench.draft(references)
    plain.attributes, plain.behind = draft.attributes, content
    assert Reason.SHAPE is bench.ours(plain.dump())


@pytest.mark.parametrize(
    "uri", ["", "#", "#doc", "#s", "#xpointer(id('p'))", "p", "http://127.0.0.1:9/#p", "file:///etc/hostname"]
)
def test_a_pointer_that_does_not_name_the_properties(uri: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: it names something else, or nothing that is here."""
    draft.pointer = f' Type="{TYPE}" URI="{uri}"'
    assert Reason.SHAPE is bench.ours(draft.dump())


def test_a_signature_inside_the_properties(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: a second signature anywhere leaves open which of them counts."""
    draft.data = FORMAT.replace("<xades:MimeType>", f"{bench.draft().signature()}<xades:MimeType>")
    assert Reason.SHAPE is bench.ours(draft.dump())


def test_a_certificate_in_the_object(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: a certificate outside the KeyInfo signs nothing, not even as a stranger's beside it."""
    stranger = bench.pki.issue("Somebody Else", key="rsa-2048")
    other = XadesDraft(stranger).draft().key_info
    draft.signature = f"<ds:KeyInfo>{other}</ds:KeyInfo>"
    assert Reason.SHAPE is bench.ours(draft.dump())


def test_changed_signed_properties(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: another time than the one that was signed."""
    signed = draft.dump()
    assert (Reason.TAMPERED, REFUSED) == judge(bench, signed.replace(draft.time, signing_time(OLD)))


def test_a_changed_document(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: good properties don't make a changed document good."""
    assert (Reason.TAMPERED, REFUSED) == judge(bench, draft.dump().replace("Invented", "Evil"))


def test_properties_of_another_signature(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the Object of a signature cannot serve another."""
    other = XadesDraft(bench.signer)
    other.time = signing_time(OLD)
    document = draft.dump().replace(draft.qualifying(), other.qualifying())
    assert (Reason.TAMPERED, REFUSED) == judge(bench, document)


def test_an_object_taken_away(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: without its properties a XAdES signature is no plain one."""
    document = draft.dump().replace(f"<ds:Object>{draft.qualifying()}</ds:Object>", "")
    assert (Reason.SHAPE, REFUSED) == judge(bench, document)
