"""Signature wrapping in XML: what is verified is kept, what is read is the attacker's (Somorovsky et al., 2012).

XSW 1 to 8 in the terms of a declaration: the root stands for the response, a Form for the assertion. Beside our verdict
stands that of a verifier that takes any signature anywhere, which shows that the mathematics of the attack hold.
"""

import pytest

from signing.evidence import Reason
from tests.cms_builder import ACCEPTED, REFUSED
from tests.xml_builder import DOCUMENT, XmlBench, inserted, reference

FORM = '<Form Id="f"><Name>Invented</Name></Form>'
EVIL_FORM = '<Form Id="evil"><Name>Evil</Name></Form>'
EVIL = f'<Forms Id="evil">{EVIL_FORM.replace("evil", "e2")}</Forms>'


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> XmlBench:
    """An accepted authority and a signer."""
    return XmlBench.open(tmp_path_factory.mktemp("bench"))


def whole(bench: XmlBench) -> str:
    """A good signature that names the root by its ID."""
    return bench.draft(reference(DOCUMENT, uri=' URI="#doc"')).signature()


def part(bench: XmlBench) -> str:
    """A good signature over the Form alone."""
    return bench.draft(reference(FORM, uri=' URI="#f"')).signature()


def test_nothing_wrapped(bench: XmlBench) -> None:
    """Valid: the signed document as it should be, named by its ID."""
    assert (ACCEPTED, ACCEPTED) == bench.judge(inserted(DOCUMENT, whole(bench)))


def test_xsw_1(bench: XmlBench) -> None:
    """Invalid: the signed document moves inside the signature of a forged one."""
    signature = whole(bench).replace("</ds:Signature>", f"{DOCUMENT}</ds:Signature>")
    assert (Reason.SHAPE, REFUSED) == bench.judge(inserted(EVIL, signature))


def test_xsw_2(bench: XmlBench) -> None:
    """Invalid: the signed document stands beside the signature, both in a forged one."""
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(inserted(EVIL, DOCUMENT + whole(bench)))


def test_xsw_3(bench: XmlBench) -> None:
    """Invalid: a forged Form stands before the signed one."""
    signed = FORM.replace("</Form>", f"{part(bench)}</Form>")
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(f"<Forms>{EVIL_FORM}{signed}</Forms>")


def test_xsw_4(bench: XmlBench) -> None:
    """Invalid: the signed Form is a child of a forged one."""
    signed = FORM.replace("</Form>", f"{part(bench)}</Form>")
    evil = EVIL_FORM.replace("</Form>", f"{signed}</Form>")
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(f"<Forms>{evil}</Forms>")


def test_xsw_5(bench: XmlBench) -> None:
    """Invalid: the forged Form takes the signature along, the signed one comes last."""
    evil = EVIL_FORM.replace("</Form>", f"{part(bench)}</Form>")
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(f"<Forms>{evil}{FORM}</Forms>")


def test_xsw_6(bench: XmlBench) -> None:
    """Invalid: the forged Form holds the signature, the signature holds the signed one."""
    signature = part(bench).replace("</ds:Signature>", f"{FORM}</ds:Signature>")
    evil = EVIL_FORM.replace("</Form>", f"{signature}</Form>")
    assert (Reason.SHAPE, REFUSED) == bench.judge(f"<Forms>{evil}</Forms>")


def test_xsw_7(bench: XmlBench) -> None:
    """Invalid: a forged Form of the same ID hides in an element that any content may fill."""
    evil = EVIL_FORM.replace("evil", "f")
    signed = FORM.replace("</Form>", f"{part(bench)}</Form>")
    assert (Reason.SHAPE, REFUSED) == bench.judge(f"<Forms><Extensions>{evil}</Extensions>{signed}</Forms>")


def test_xsw_8(bench: XmlBench) -> None:
    """Invalid: the signed Form hides in an Object of the signature."""
    signature = part(bench).replace("</ds:Signature>", f"<ds:Object>{FORM}</ds:Object></ds:Signature>")
    evil = EVIL_FORM.replace("</Form>", f"{signature}</Form>")
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(f"<Forms>{evil}</Forms>")


def test_a_signature_that_covers_one_form(bench: XmlBench) -> None:
    """Invalid: in the right place, but over a part of the document only."""
    document = inserted(f"<Forms>{FORM}{EVIL_FORM}</Forms>", part(bench))
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(document)


def test_a_signature_that_covers_an_object(bench: XmlBench) -> None:
    """Invalid: what is signed is the Object in the signature, not the document (XMLDSig, 4.5)."""
    content = f'<ds:Object xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="o">{FORM}</ds:Object>'
    draft = bench.draft(reference(content, uri=' URI="#o"'))
    draft.behind = content
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(draft.dump(EVIL))


def test_a_signature_that_covers_itself(bench: XmlBench) -> None:
    """Invalid: a reference to the KeyInfo leaves the document unsigned (XMLDSig, 4.4)."""
    draft = bench.draft()
    info = f'<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="k">{draft.key_info}</ds:KeyInfo>'
    draft.references = reference(info, uri=' URI="#k"')
    document = draft.dump(EVIL).replace("<ds:KeyInfo>", '<ds:KeyInfo Id="k">')
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(document)


def test_the_roots_id_on_a_copy(bench: XmlBench) -> None:
    """Invalid: root and copy share their ID, and each reader takes his own (XML 1.0, 3.3.1)."""
    evil = f'<Forms Id="doc">{EVIL_FORM}{DOCUMENT}</Forms>'
    assert Reason.SHAPE is bench.ours(inserted(evil, whole(bench)))


def test_the_same_id_in_two_spellings(bench: XmlBench) -> None:
    """Invalid: Id, ID and id are each an ID to somebody."""
    evil = f'<Forms ID="doc">{EVIL_FORM}<Wrapper>{DOCUMENT}</Wrapper></Forms>'
    assert Reason.SHAPE is bench.ours(inserted(evil, whole(bench)))


def test_the_same_id_as_xml_id(bench: XmlBench) -> None:
    """Invalid: xml:id is one too (W3C xml:id, 4)."""
    evil = f'<Forms xml:id="doc">{EVIL_FORM}<Wrapper>{DOCUMENT}</Wrapper></Forms>'
    assert Reason.SHAPE is bench.ours(inserted(evil, whole(bench)))


def test_an_id_of_another_namespace(bench: XmlBench) -> None:
    """Invalid: a root that is named by somebody else's ID attribute is not what the signature found."""
    evil = f'<Forms xmlns:u="urn:u" u:Id="doc">{EVIL_FORM}<Wrapper>{DOCUMENT}</Wrapper></Forms>'
    assert Reason.SHAPE is bench.ours(inserted(evil, whole(bench)))


def test_an_id_of_another_namespace_on_the_root_alone(bench: XmlBench) -> None:
    """Invalid: nothing has the ID that is named, save in a namespace that signxml doesn't look in."""
    evil = f'<Forms xmlns:u="urn:u" u:Id="doc">{EVIL_FORM}</Forms>'
    assert bench.ours(inserted(evil, whole(bench))) in {Reason.SHAPE, Reason.TAMPERED, Reason.SIGNATURE}


def test_a_root_of_the_same_name(bench: XmlBench) -> None:
    """Invalid: the signed document below a root of its own name, with the empty reference."""
    signature = bench.draft().signature()
    assert (Reason.TAMPERED, REFUSED) == bench.judge(inserted(f"<Forms>{DOCUMENT}</Forms>", signature))


def test_two_signatures_of_one_document(bench: XmlBench) -> None:
    """Invalid: a second signature, good in itself, leaves open which of them counts."""
    document = bench.draft().dump()
    second = bench.draft(reference(document)).signature()
    assert Reason.SHAPE is bench.ours(inserted(document, second))


def test_a_signature_in_a_signature(bench: XmlBench) -> None:
    """Invalid: a signature in another's Object is a second one (XMLDSig, 4.5)."""
    draft = bench.draft()
    draft.behind = f"<ds:Object>{bench.draft().signature()}</ds:Object>"
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(draft.dump())


def test_the_signature_as_first_child(bench: XmlBench) -> None:
    """Valid: enveloped signatures may stand anywhere below the root (XMLDSig, 6.6.4)."""
    document = DOCUMENT.replace('"doc">', f'"doc">{bench.draft().signature()}')
    assert (ACCEPTED, ACCEPTED) == bench.judge(document)
