"""Forms, cut out of the bytes: the same that a tree of the whole document has, at any chunking."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from schemas.codes import Code, Finding
from schemas.splitting import MAX_DEPTH, Form, Splitter
from tests.shipped import SAMPLES, Sample, label

HEADS = ["", '<?xml version="1.0" encoding="UTF-8"?>', "\ufeff", "<!-- <R> --><?a <R>?>\n"]
INNER = st.sampled_from(
    [
        "<A/>",
        "<A>1 &lt; 2</A>",
        "<Form/>",
        "<Form a='>'><B>x</B></Form>",
        "<Formula>y</Formula>",
        "<TypeForm/>",
        "<A b='</Form>'.c/>".replace("</Form>'.c", "Form >'"),
        "<!-- </Form> -->",
        "<!----><!--<Form>-->",
        "<?p </Form>?>",
        "<![CDATA[</Form>]]>",
        "<![CDATA[]]]]>",
        "Form >",
        "é€𝄞",
        "\r\n\t",
        '<A x="Form>" y=\'"\'></A>',
    ]
)
BETWEEN = st.sampled_from(["", " ", "\r\n", "<!-- <Form/> -->", "<?Form ?>", "&#32;", "&#xA;", "<!--->-->"])
START = st.sampled_from(["<Form>", "<Form >", "<Form\n\ta='>'>", '<Form b="/">'])
FORM = st.builds("{}{}</Form{}>".format, START, st.lists(INNER, max_size=5).map("".join), st.sampled_from(["", " "]))
DOCUMENT = st.builds(
    lambda head, forms, last: f"{head}<R x='>'>{''.join(forms)}</R >{last}",
    st.sampled_from(HEADS),
    st.lists(st.builds("{}{}".format, BETWEEN, FORM | st.just("<Form/>")), min_size=1, max_size=4),
    st.sampled_from(["", "\n", "<!-- <Form> -->"]),
)


def head_of(content: bytes) -> int:
    """How many bytes the first piece must have: up to the end of the root's start tag, and no less."""
    for size in range(1, len(content) + 1):
        splitter = Splitter()
        list(splitter.feed(content[:size]))
        if splitter.root_tag:
            return size
    return len(content)


def split(content: bytes, cuts: list[int], *, prefixed: bool = False) -> tuple[list[Form], Finding | None]:
    """The forms, and the finding that ended the reading."""
    splitter = Splitter(prefixed=prefixed)
    forms: list[Form] = []
    for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
        for found in splitter.feed(content[start:end]):
            if isinstance(found, Finding):
                return forms, found
            forms.append(found)
    return forms, splitter.close()


def canonical(element: etree._Element, *, bare: bool = False) -> bytes:
    """An element as a tree sees it; ``bare`` without comments and instructions."""
    alone = etree.fromstring(etree.tostring(element, with_tail=False))
    if bare:
        etree.strip_tags(alone, etree.ProcessingInstruction, etree.Comment)
    return etree.tostring(alone, method="c14n", exclusive=True)


def is_that_of_the_tree(content: bytes, forms: list[Form]) -> bool:
    """Whether these are the forms of the document, each where it says."""
    tree = [element for element in etree.fromstring(content) if isinstance(element.tag, str)]
    cut = [etree.fromstring(form.content) for form in forms]
    plain = [etree.fromstring(form.written_plainly()) for form in forms]
    return (
        list(map(canonical, cut)) == list(map(canonical, tree))
        and list(map(canonical, plain)) == [canonical(element, bare=True) for element in tree]
        and all(content[form.offset :].startswith(form.content) for form in forms)
        and [form.number for form in forms] == list(range(1, len(forms) + 1))
    )


@given(DOCUMENT, st.randoms(use_true_random=False))
def test_the_forms_are_those_of_a_tree_wherever_pieces_end(text: str, chance: random.Random) -> None:
    """Comments, instructions, CDATA, attributes and forms within forms don't mislead, nor half a mark or character."""
    content = text.encode()
    head = head_of(content)
    whole, finding = split(content, [])
    assert finding is None
    assert is_that_of_the_tree(content, whole)
    rest = range(head, len(content))
    assert split(content, list(rest)) == (whole, None)
    assert split(content, sorted(chance.sample(rest, min(4, len(rest))))) == (whole, None)


@pytest.mark.parametrize("content", [b"<R><Form a='>'/></R>", b"<R><Form><B c='1' d='>'/></Form></R>"])
def test_a_tag_that_is_cut_within_a_value_is_not_whole(content: bytes) -> None:
    """The ``>`` of a value ends no tag, also where a piece ends behind it (what CPython gh-106052 made of it)."""
    [form], finding = split(content, [content.index(b"'>'") + 2])
    assert (form.content, finding) == (content[len(b"<R>") : -len(b"</R>")], None)


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample.valid], ids=label)
def test_the_forms_of_every_sample_are_those_of_a_tree(sample: Sample) -> None:
    """In pieces of 61 bytes, behind the head."""
    content = sample.path.read_bytes()
    forms, finding = split(content, list(range(head_of(content), len(content), 61)))
    assert finding is None
    assert is_that_of_the_tree(content, forms)


@pytest.mark.parametrize("prefix", ["g:", "é:", "a.b-c_1:"])
def test_prefixed_forms_are_found_where_a_root_has_a_namespace(prefix: str) -> None:
    """By any prefix or none, nested ones too, at any chunking."""
    first = f"<{prefix}Form><{prefix}Form><Form/></{prefix}Form></{prefix}Form>"
    root = f'{prefix}R xmlns:{prefix[:-1]}="urn:g" xmlns="urn:g"'
    content = f"<{root}>{first}<Form/></{prefix}R>".encode()
    head = content.index(b">") + 1
    for cuts in ([], list(range(head, len(content)))):
        forms, finding = split(content, cuts, prefixed=True)
        assert finding is None
        assert [len(form.content) for form in forms] == [len(first.encode()), 7]


@pytest.mark.parametrize(
    "block", ["<Formx/>", "<form/>", "<a:Form/>", "text", "&#65;", "<B><Form/></B>", "<Form/>x<Form/>", "<B>" * 70_000]
)
def test_what_is_no_form_is_found(block: str) -> None:
    """Between forms there may be nothing but space, comments and instructions."""
    _, finding = split(f"<R><Form/>{block}</R>".encode(), [])
    assert finding is not None
    assert finding.code is Code.NOT_A_FORM


@pytest.mark.parametrize("cut", ["<R>", "<R><Form>", "<R><Form/><!-- ", "<R><Form/><![CDATA[", "<R><Form><A></A>"])
def test_an_unfinished_document_is_found(cut: str) -> None:
    """Should libxml2 ever take it for finished, its last form is not lost unnoticed."""
    _, finding = split(cut.encode(), [])
    assert finding == Finding(Code.XML_SYNTAX, "not well-formed: the root element has no end")


def test_forms_in_forms_have_a_bound() -> None:
    """The bound itself is allowed."""
    for depth, expected in ((MAX_DEPTH, None), (MAX_DEPTH + 1, Code.XML_SYNTAX)):
        opened = b"<R>" + b"<Form>" * depth
        content = opened + b"</Form>" * depth + b"</R>"
        _, finding = split(content, [len(opened)])
        assert (finding and finding.code) == expected
