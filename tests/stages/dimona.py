"""Dimona documents for the tests of the schemas: the shipped samples, and documents put together from their parts."""

import io
from datetime import date
from pathlib import Path

import schemas
from schemas import catalogue
from schemas.catalogue import MessageType
from schemas.refusal import Refused
from schemas.validate import Limits, Validated, validate

FOLDER = Path(schemas.__file__).parent / "dimona"
SAMPLES = FOLDER / "samples"
XSD = FOLDER / "Dimona_20231.xsd"
VALID = (SAMPLES / "valid_three_forms.xml").read_bytes()

XSI = "http://www.w3.org/2001/XMLSchema-instance"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
ROOT = f'<Dimona xmlns:xsi="{XSI}" xsi:noNamespaceSchemaLocation="Dimona_20231.xsd">'
FORM = VALID[VALID.index(b"<Form>") : VALID.index(b"</Form>") + len(b"</Form>")].decode()
END = "</Dimona>"
DAY = date(2026, 11, 21)
LIMITS = Limits(max_bytes=200_000_000, max_forms=1000)


def dimona() -> MessageType:
    """The shipped message type."""
    kind = catalogue.load().find("DIMN")
    assert kind is not None
    return kind


def document(*blocks: str, root: str = ROOT, declaration: str = DECLARATION) -> bytes:
    """A document of these blocks."""
    return "".join([declaration, root, *blocks, END]).encode()


def judge(content: bytes, limits: Limits = LIMITS) -> tuple[Validated | Refused, list[bytes]]:
    """The verdict, and the forms that were given out on the way."""
    forms: list[bytes] = []
    return validate(io.BytesIO(content), [dimona()], limits, forms.append, DAY), forms


def codes(content: bytes, limits: Limits = LIMITS) -> list[int]:
    """The codes a document is refused with, none when it is valid."""
    verdict, _ = judge(content, limits)
    return [] if isinstance(verdict, Validated) else [int(finding.code) for finding in verdict.findings]
