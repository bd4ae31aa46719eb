"""What a schema demands, element by element, and what is wrong with it: `schemas.structure`."""

from pathlib import Path

import pytest

from schemas import structure, xsd
from schemas.structure import Demands
from tests.made_up import publish, schema
from tests.shipped import SCHEMAS, label

BROKEN = (
    ('type="Form" max', 'type="Nope" max'),
    ('type="EmployerDeclaration"', 'type="Other"'),
    ('value="LEAVE"/>', 'value="LEAVE"/><xs:pattern value="[a"/>'),
)


def faults(folder: Path, text: str, **beside: str) -> list[str]:
    """What is wrong with a schema, without its path."""
    path = publish(folder, Leave_20244=text, **beside) / "Leave_20244.xsd"
    return [fault.replace(f"{folder}/", "") for fault in structure.faults(path)]


@pytest.mark.parametrize("path", SCHEMAS, ids=label)
def test_no_schema_that_ships_has_a_fault(path: Path) -> None:
    """In the eyes of both engines."""
    assert list(structure.faults(path)) == []


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    """Where one engine stops at the first, the other goes on; each line names the file."""
    told = faults(tmp_path, schema(*BROKEN))
    assert all(fault.startswith("Leave_20244.xsd: line ") for fault in told)
    for word in ("Nope", "Other", "[a"):
        assert [fault for fault in told if word in fault], word


def test_what_libxml2_overlooks_is_a_fault(tmp_path: Path) -> None:
    """Bounds that leave no value between them: it compiles the schema, and nobody could send anything."""
    bounds = '<xs:enumeration value="LEAVE"/><xs:maxLength value="2"/><xs:minLength value="3"/>'
    path = publish(tmp_path, Leave_20244=schema(('<xs:enumeration value="LEAVE"/>', bounds))) / "Leave_20244.xsd"
    assert xsd.compiled(path) is not None
    assert list(structure.faults(path)) == [f"{path}: line 25: 'maxLength' value is less than 'minLength'"]


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ('<xs:include schemaLocation="http://127.0.0.1:9/x.xsd"/>', "http://127.0.0.1:9/x.xsd"),
        ('<xs:include schemaLocation="//127.0.0.1/x.xsd"/>', "//127.0.0.1/x.xsd"),
        ('<xs:include schemaLocation="file:///etc/passwd"/>', "file:///etc/passwd"),
        ('<xs:import namespace="urn:x" schemaLocation="../x.xsd"/>', "../x.xsd"),
        ('<xs:redefine schemaLocation="below/x.xsd"/>', "below/x.xsd"),
        ('<xs:include schemaLocation=".."/>', ".."),
        ('<xs:include xml:base="http://127.0.0.1:9/" schemaLocation="Leave_20244.xsd"/>', "http://127.0.0.1:9/"),
        ('<xs:include schemaLocation="%2e%2e/x.xsd"/>', "%2e%2e/x.xsd"),
    ],
)
def test_a_reference_to_the_outside_is_refused(tmp_path: Path, reference: str, told: str) -> None:
    """Also from a schema that is included; nothing is read to find that out, and nothing is compiled."""
    opening = '<xs:element name="Leave">'
    outside = schema((opening, reference + opening))
    through = schema((opening, '<xs:include schemaLocation="common.xsd"/>' + opening))
    common = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{reference}</xs:schema>'
    expected = [f"Leave_20244.xsd: it reaches outside its folder: {told}"]
    assert faults(tmp_path / "itself", outside) == expected
    assert faults(tmp_path / "through", through, common=common) == expected
    with pytest.raises(xsd.SchemaUnusable, match="reaches outside"):
        xsd.compiled(tmp_path / "through" / "Leave_20244.xsd")


def test_a_document_type_is_refused(tmp_path: Path) -> None:
    """Its entities may stand for any file."""
    entity = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>\n<xs:schema '
    assert faults(tmp_path, schema(("<xs:schema ", entity))) == [
        "Leave_20244.xsd: it reaches outside its folder: a document type"
    ]


@pytest.mark.parametrize("text", ["", "<xs:schema", "no XML", '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'])
def test_what_is_no_schema_is_a_fault(tmp_path: Path, text: str) -> None:
    """And no error."""
    assert faults(tmp_path, text)


def test_a_schema_that_includes_a_missing_one_is_a_fault(tmp_path: Path) -> None:
    """The missing file is named."""
    missing = '<xs:include schemaLocation="missing.xsd"/><xs:element name="Leave">'
    assert "missing.xsd" in faults(tmp_path, schema(('<xs:element name="Leave">', missing)))[0]


def test_an_import_that_names_no_place_is_none(tmp_path: Path) -> None:
    """Nothing is looked for; and nothing is said of it."""
    opening = '<xs:element name="Leave">'
    text = schema((opening, f'<xs:import namespace="http://www.w3.org/XML/1998/namespace"/>{opening}'))
    assert faults(tmp_path, text) == []


def test_a_schema_is_bounded_in_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not even read."""
    monkeypatch.setattr(structure, "_MOST_BYTES", 100)
    assert faults(tmp_path, schema()) == ["Leave_20244.xsd: more than 100 bytes"]


def test_what_is_demanded_of_each_element(tmp_path: Path) -> None:
    """How often it may come, of what type its value is and within what bounds, and the order of its children."""
    path = publish(tmp_path, "20244") / "Leave_20244.xsd"
    demanded = structure.demands(path, "Leave")
    assert list(demanded) == [
        "Form",
        "Form/Identification",
        "Form/TypeForm",
        "Form/Days",
        "Form/EmployerDeclaration",
        "Form/EmployerDeclaration/NOSSRegistrationNbr",
        "Form/EmployerDeclaration/INSS",
    ]
    assert demanded["Form"] == Demands(1, None, content="Identification, TypeForm, Days, EmployerDeclaration")
    assert demanded["Form/Days"] == Demands(1, 1, "integer", {"minInclusive": ("1",), "maxInclusive": ("30",)})
    assert demanded["Form/EmployerDeclaration"].least == 0


def with_children(content: str) -> str:
    """The schema with other children of a form."""
    text = schema()
    start = text.index('<xs:element name="Identification"')
    return schema((text[start : text.index("</xs:sequence>", start)], content))


def test_how_often_an_element_may_come_counts_the_groups_it_stands_in(tmp_path: Path) -> None:
    """In a choice none has to come; a group that may come twice doubles; two places of one name are one element."""
    text = with_children(
        """<xs:choice maxOccurs="2"><xs:element name="A" type="xs:int" maxOccurs="3"/><xs:sequence>
        <xs:element name="B" type="xs:int"/><xs:element name="A" type="xs:int"/><xs:any namespace="##other"/>
        </xs:sequence></xs:choice>"""
    )
    demanded = structure.demands(publish(tmp_path, Leave_20244=text) / "Leave_20244.xsd", "Leave")
    often = {path: (found.least, found.most) for path, found in demanded.items()}
    assert often == {"Form": (1, None), "Form/A": (0, 6), "Form/B": (0, 2)}
    assert demanded["Form"].content == "(A | (B, A, any))"


def test_a_block_within_itself_is_told_once(tmp_path: Path) -> None:
    """A schema may be endless; what is told of it isn't."""
    text = with_children('<xs:element name="Form" type="Form" minOccurs="0"/>')
    path = publish(tmp_path, Leave_20244=text) / "Leave_20244.xsd"
    assert list(structure.demands(path, "Leave")) == ["Form", "Form/Form"]


def test_a_schema_of_too_many_elements_is_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that share blocks multiply."""
    monkeypatch.setattr(structure, "_MOST_ELEMENTS", 3)
    path = publish(tmp_path, "20244") / "Leave_20244.xsd"
    with pytest.raises(structure.TooLargeError):
        structure.demands(path, "Leave")
