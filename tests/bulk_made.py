"""A small register as a document for an import, and what becomes of it."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from gateway.register import inss
from gateway.register.actor import Operator
from gateway.register.bulk import exporting, files
from gateway.register.bulk.importing import Counts, Import
from gateway.register.bulk.kinds import Kind
from gateway.register.bulk.staging import open_staging
from spool.journal import Journal

BAKERY, OFFICE, OTHER = "0400000185", "0400000086", "0400000284"
EMPLOYER = f"{BAKERY}/employer/100006"
SECRETARIAT = f"{OFFICE}/social-secretariat/"
PROVIDER = f"{OTHER}/provider-legal/"
INSS = "88070412305"
KEY = b"k" * 32
WHO = Operator("import")

ANNE = {"username": "annemie01", "enterprise": BAKERY, "last_name": "Voorbeeld", "first_name": "Anne"}

Document = dict[str, list[dict[str, Any]]]


def whole() -> Document:
    """One record or two of every kind, all of which go together."""
    mandate = {"employer": EMPLOYER, "provider": SECRETARIAT, "means": "secretariat", "valid_from": "2026-01-01"}
    return {
        "enterprises": [
            {"number": BAKERY, "name": "Bakery"},
            {"number": OFFICE, "name": "Office"},
            {"number": OTHER, "name": "Other"},
        ],
        "qualities": [{"quality": EMPLOYER}, {"quality": SECRETARIAT}, {"quality": PROVIDER}],
        "persons": [ANNE | {"inss": INSS}, ANNE | {"username": "benoit0001"}],
        "roles": [
            {"username": "annemie01", "place": BAKERY, "role": "rae"},
            {"username": "annemie01", "place": EMPLOYER, "role": "gl", "applications": ["DIMN", "DMFA"]},
            {"username": "benoit0001", "place": EMPLOYER, "role": "user", "applications": ["DIMN"]},
        ],
        "senders": [{"number": "200001", "quality": SECRETARIAT, "purposes": ["DMFA", "DIMN"]}],
        "channels": [
            {"sender": "200001", "channel": "sftp", "environment": "R", "valid_from": "2026-01-01"},
            {"sender": "200001", "channel": "mq", "environment": "T"},
        ],
        "mandates": [mandate],
        "choices": [
            {
                "employer": EMPLOYER,
                "purpose": "NOTI",
                "environment": "R",
                "recipient": SECRETARIAT,
                "channel": "sftp",
                "valid_from": "2026-02-01",
            }
        ],
    }


@contextmanager
def opened(journal: Journal, document: Document) -> Iterator[Import]:
    """An import of a document that was read and examined; every record is a line, from 1."""
    lines = [json.dumps(record) for records in document.values() for record in records]
    text, place = "{", iter(lines)
    for number, (kind, records) in enumerate(document.items()):
        text += f'{"," if number else ""}"{kind}": [' + ",\n".join(next(place) for _ in records) + "\n]"
    with open_staging() as staging:
        importing = Import(journal, staging)
        importing.read(files.read_json(io.StringIO(text + "}"), "x.json"), partial(inss.mark, KEY))
        importing.examine()
        yield importing


def imported(journal: Journal, document: Document) -> dict[Kind, Counts]:
    """Import a document without faults; what of it was new, changed and the same."""
    with opened(journal, document) as importing:
        assert [] == importing.faults.told
        importing.carry_out(WHO, "test", "x.json")
        return importing.counts


def faults(journal: Journal, document: Document) -> list[tuple[int, str]]:
    """What is wrong with a document, by the line that says so."""
    with opened(journal, document) as importing:
        with pytest.raises(TypeError):
            importing.carry_out(WHO, "test", "x.json")
        return [(told.line, told.words) for told in importing.faults.told]


def exported(journal: Journal) -> str:
    """The register as a document."""
    file = io.StringIO()
    with journal.read() as connection:
        exporting.export_json(connection, file, Kind)
    return file.getvalue()
