"""The message types that ship, and their samples: each document with the type and the schema it says it is of."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import xmlschema
from lxml import etree

import schemas
from schemas import catalogue, xsd
from schemas.message_type import MessageType
from schemas.strict import STRICT

FOLDER = Path(schemas.__file__).parent
TYPES = tuple(kind for kind in catalogue.load() if kind.versions)
SCHEMAS = tuple(path for kind in TYPES for path in kind.versions.values())
OUTSIDE_THE_SCHEMA = {
    "not_well_formed",
    "document_type",
    "no_form",
    "block_not_form",
    "other_form_type",
    "unknown_schema_version",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample and the type in whose folder it lies."""

    path: Path
    kind: MessageType

    @property
    def valid(self) -> bool:
        """What its name says it is."""
        return self.path.stem.startswith("valid_")

    @property
    def root(self) -> etree._Element:
        """The document, read anew."""
        return etree.fromstring(self.path.read_bytes(), etree.XMLParser(**STRICT))

    @property
    def schema(self) -> str:
        """The file name of the schema that it names."""
        return str(self.root.get(f"{{{xsd.XSI}}}noNamespaceSchemaLocation"))


def samples(kind: MessageType) -> tuple[Sample, ...]:
    """The samples of a type that a schema judges."""
    folder = next(iter(kind.versions.values())).parent / "samples"
    return tuple(Sample(path, kind) for path in sorted(folder.glob("*.xml")) if path.stem not in OUTSIDE_THE_SCHEMA)


SAMPLES = tuple(sample for kind in TYPES for sample in samples(kind))


@cache
def second_opinion(path: Path) -> xmlschema.XMLSchema10:
    """The schema as another engine understands it."""
    return xmlschema.XMLSchema10(path)


def label(value: Sample | MessageType | Path) -> str:
    """The name of a case in a report."""
    if isinstance(value, Sample):
        return f"{value.kind.root}-{value.path.stem}"
    return value.root if isinstance(value, MessageType) else value.stem
