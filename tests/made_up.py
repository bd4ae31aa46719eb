"""A type of message that nobody knows but these tests: its schemas as they would be published, and documents."""

from pathlib import Path
from typing import Final

PURPOSE: Final = "LEAV"
ROOT: Final = "Leave"
SAID: Final = (
    *("--purpose", PURPOSE, "--title", "fr=Congé", "--title", "nl=Verlof", "--title", "de=Urlaub"),
    *("--title", "en=Leave", "--starts", "quarter"),
)
"""What has to be said of it when it is added."""

_SCHEMA: Final = """<?xml version="1.0" encoding="UTF-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:element name="Leave">
    <xs:complexType>
      <xs:sequence>
        <xs:element name="Form" type="Form" maxOccurs="unbounded"/>
      </xs:sequence>
    </xs:complexType>
  </xs:element>
  <xs:complexType name="Form">
    <xs:sequence>
      <xs:element name="Identification" type="Identification"/>
      <xs:element name="TypeForm" type="TypeForm"/>
      <xs:element name="Days" type="Days"/>
      <xs:element name="EmployerDeclaration" type="EmployerDeclaration" minOccurs="0"/>
    </xs:sequence>
  </xs:complexType>
  <xs:complexType name="EmployerDeclaration">
    <xs:sequence>
      <xs:element name="NOSSRegistrationNbr" type="xs:integer"/>
      <xs:element name="INSS" type="xs:integer" minOccurs="0"/>
    </xs:sequence>
  </xs:complexType>
  <xs:simpleType name="Identification">
    <xs:restriction base="xs:string">
      <xs:enumeration value="LEAVE"/>
    </xs:restriction>
  </xs:simpleType>
  <xs:simpleType name="TypeForm">
    <xs:restriction base="xs:string">
      <xs:enumeration value="SU"/>
    </xs:restriction>
  </xs:simpleType>
  <xs:simpleType name="Days">
    <xs:restriction base="xs:integer">
      <xs:minInclusive value="1"/>
      <xs:maxInclusive value="30"/>
    </xs:restriction>
  </xs:simpleType>
</xs:schema>
"""


def schema(*changes: tuple[str, str]) -> str:
    """The schema, with words in it replaced by others."""
    text = _SCHEMA
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def publish(folder: Path, *versions: str, **texts: str) -> Path:
    """Write the schemas of these versions, and other texts by the stems of their files; answers the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, text in {**{f"{ROOT}_{version}": schema() for version in versions}, **texts}.items():
        (folder / f"{stem}.xsd").write_text(text, encoding="utf-8")
    return folder


def document(version: str, days: int = 3) -> bytes:
    """A document of one form."""
    employer = "<EmployerDeclaration><NOSSRegistrationNbr>100006</NOSSRegistrationNbr></EmployerDeclaration>"
    form = f"<Identification>LEAVE</Identification><TypeForm>SU</TypeForm><Days>{days}</Days>{employer}"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n'
        '<Leave xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        f' xsi:noNamespaceSchemaLocation="Leave_{version}.xsd">\r\n<Form>{form}</Form>\r\n</Leave>\r\n'
    ).encode()
