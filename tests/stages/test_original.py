"""What a form says of itself: `schemas.original`."""

import io

import pytest

from schemas.original import OriginalForm, originals
from tests.stages.dimona import DECLARATION, END, FORM, ROOT, document

_FIELDS = {
    "Identification": "DIMONA",
    "FormCreationDate": "2026-11-20",
    "FormCreationHour": "09:15:00.000",
    "AttestationStatus": "0",
    "TypeForm": "SU",
}
_HEAD = "".join(f"<{name}>{value}</{name}>" for name, value in _FIELDS.items())
_REFERENCE = "<Reference><ReferenceType>1</ReferenceType><ReferenceOrigin>1</ReferenceOrigin>"


def original(form: str, encoding: str = "UTF-8") -> OriginalForm:
    """What the only form of a document says."""
    text = f"{DECLARATION.replace('UTF-8', encoding)}{ROOT}{form}{END}".encode(encoding)
    return originals(io.BytesIO(text), {1: ()})[1]


def test_a_form_says_what_it_is_and_how_its_sender_calls_it() -> None:
    """The shipped sample, with its fields in the order of the structure."""
    said = original(FORM)

    assert list(_FIELDS) == [name for name, _ in said.fields]
    assert "DIMONA" == dict(said.fields)["Identification"]


def test_references_are_told_one_by_one_and_four_at_most() -> None:
    """As many as an answer has room for."""
    references = "".join(f"{_REFERENCE}<ReferenceNbr>A-{number}</ReferenceNbr></Reference>" for number in range(6))
    said = original(f"<Form>{_HEAD}{references}</Form>")

    assert ["A-0", "A-1", "A-2", "A-3"] == [dict(reference)["ReferenceNbr"] for reference in said.references]


@pytest.mark.parametrize(
    "form",
    [
        "<Form/>",
        f"<Form><DimonaIn>{_HEAD}</DimonaIn></Form>",
        f"<Form><Identification>{'x' * 65}</Identification></Form>",
        "<Form><Identification> </Identification><Reference/></Form>",
    ],
    ids=["empty", "fields of another block", "a long value", "an empty value"],
)
def test_what_is_not_said_where_it_belongs_is_not_told(form: str) -> None:
    """Nothing is guessed from elsewhere in the form."""
    assert OriginalForm() == original(form)


def test_the_first_of_two_counts() -> None:
    """A form that is identified twice goes by what stands first."""
    said = original("<Form><TypeForm>SU</TypeForm><TypeForm>RE</TypeForm></Form>")

    assert (("TypeForm", "SU"),) == said.fields


def test_letters_are_read_in_the_encoding_of_the_document() -> None:
    """Also in one that says nothing of it within the form."""
    form = f"<Form>{_REFERENCE}<ReferenceNbr>&#233;é</ReferenceNbr></Reference></Form>"

    assert ["éé", "éé"] == [
        dict(original(form, encoding).references[0])["ReferenceNbr"] for encoding in ("UTF-8", "ISO-8859-1")
    ]


def form(kind: str) -> str:
    """A form of which only this is known."""
    return f"<Form><TypeForm>{kind}</TypeForm></Form>"


def test_just_the_forms_that_are_asked_for_are_told() -> None:
    """By their numbers, and of those the document doesn't have nothing."""
    told = originals(io.BytesIO(document(form("A"), form("B"), form("C"))), {3: (), 1: (), 9: ()})

    assert {1: (("TypeForm", "A"),), 3: (("TypeForm", "C"),)} == {number: each.fields for number, each in told.items()}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", set()),
        (b"<!DOCTYPE x><x/>", set()),
        (document(form("A"), "<b><", form("B")), {1}),
        (document(form("A"), "<Other/>", form("B")), {1}),
        (document(form("A"), "<Form><TypeForm>B</Form></Form>"), {1, 2}),
        (document(form("A"), form("B"))[:-30], {1}),
    ],
    ids=["empty", "a DOCTYPE", "not well-formed between forms", "another block", "in a form", "cut off"],
)
def test_a_document_is_read_as_far_as_it_can_be(content: bytes, expected: set[int]) -> None:
    """What is refused need not be well-formed."""
    assert expected == set(originals(io.BytesIO(content), {1: (), 2: ()}))


def test_a_prefix_makes_no_difference() -> None:
    """A form is one in its namespace, whatever its elements are written with."""
    root = '<d:Other xmlns:d="urn:d">'
    text = f"{root}<d:Form><d:TypeForm>SU</d:TypeForm></d:Form></d:Other>".encode()

    assert (("TypeForm", "SU"),) == originals(io.BytesIO(text), {1: ()})[1].fields


_DECLARATION = """<Form><Quarter>20261</Quarter><A><Quarter>20262</Quarter><CompanyID>0987654394</CompanyID>
<B><INSS>1</INSS><C/></B><B><INSS>2</INSS><C><ServiceCode>001</ServiceCode><D/></C><INSS>3</INSS></B></A></Form>"""


@pytest.mark.parametrize(
    ("place", "keys"),
    [
        ((1, 1), ["20261"]),
        ((1, 1, 2), ["20262", "0987654394"]),
        ((1, 1, 2, 3), ["20262", "0987654394", "1"]),
        ((1, 1, 2, 4, 2), ["20262", "0987654394", "2", "001"]),
        ((1, 1, 2, 4, 2, 2), ["20262", "0987654394", "2", "001"]),
        ((1, 1, 2, 4, 1), ["20262", "0987654394", "2"]),
        ((1, 1, 9), None),
    ],
)
def test_a_place_goes_by_the_keys_on_the_way_to_it(place: tuple[int, ...], keys: list[str] | None) -> None:
    """Those below its ancestors and itself, wherever they stand among their siblings; the nearest of a name counts."""
    told = originals(io.BytesIO(document(_DECLARATION)), {1: [place]})[1].keys

    assert keys == (None if place not in told else [value for _, value in told[place]])
