"""What proves, years from now, what became of a ticket?

The files as received, the answers as sent with our signatures, the verdict with its findings, every event with what
shows its place under a signed checkpoint, what went where, and the certificates, lists and responses that were relied
on (:mod:`gateway.reliance`); what is not there any more is named. All of it in one container of
:mod:`gateway.asic`, which :mod:`gateway.proof` verifies.
"""

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain as chained
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.asic import Writing
from gateway.evidence import relied_on
from gateway.sealing import UnsealableError
from spool import answers, chain, checkpoints, effects, merkle, purges, relied, submissions
from spool.answers import file_names
from spool.chain import Link
from spool.checkpoints import Checkpoints
from spool.effects import Kind
from spool.forgetting import ANSWERS_PURGED
from spool.reconciliation_pages import PURGED
from spool.submissions import Event, Submission
from spool.tables import effects as planned

EVENTS: Final = "evidence/events.json"
SUBMISSION: Final = "evidence/submission.json"
DELIVERIES: Final = "evidence/deliveries.json"
MISSING: Final = "evidence/missing.json"

Find = Callable[[relied.Kind, str], bytes | str]


def write(connection: Connection, folder: Path, submission: Submission, find: Find, container: Writing) -> list[str]:
    """Put all but the events of ``submission`` into a container; answers what is missing, in words.

    Args:
        folder: where its files are in custody
        find: the bytes of a kind with a SHA-256 (hex), or why there are none, in words
    """
    timeline = submissions.timeline(connection, submission.ticket)
    missing = [*_received(folder, submission, timeline, container), *_relied(timeline, find, container)]
    missing += _answers(connection, submission.ticket, container)
    if bare := chain.bare(connection, submission.ticket):
        missing.append(f"{EVENTS}: the facts of {bare} events, whose time was up; their digests are there")
    container.add(SUBMISSION, _json(asdict(submission)))
    container.add(DELIVERIES, _json(deliveries(connection, submission.ticket)))
    container.add(MISSING, _json(missing))
    return missing


def write_events(connection: Connection, files: Checkpoints, ticket: str, container: Writing) -> None:
    """Put the events of ``ticket`` in, with the checkpoints they are under.

    Raises:
        UnsealableError: one of them is under no checkpoint, or that is gone.
    """
    proofs, needed = [], set()
    for previous, link in chain.of_ticket(connection, ticket):
        recorded = checkpoints.sealing(connection, link.number)
        if recorded is None:
            raise UnsealableError(f"event {link.number} is not sealed yet")
        leaves = chain.after(connection, recorded.first - 1, checkpoints.MOST)
        digests = [leaf.digest for leaf in leaves if leaf.number <= recorded.last]
        index = digests.index(link.digest)
        proofs.append(
            _event(link)
            | {"previous": previous, "checkpoint": recorded.ordinal, "index": index}
            | {"path": merkle.proof(digests, index)}
        )
        needed.add(recorded.ordinal)
    container.add(EVENTS, _json(proofs))
    for ordinal in sorted(needed):
        if not files.path(ordinal).exists():
            raise UnsealableError(f"checkpoint {ordinal} is missing: there is no {files.path(ordinal)}")
        container.add_file(f"checkpoints/{ordinal}.json", files.path(ordinal))


def save(path: Path, fill: Callable[[Writing], None], sign: Callable[[bytes], bytes]) -> None:
    """Write a container to ``path``, which must not exist; there is either all of it or nothing.

    Raises:
        FileExistsError: there is a file.
    """
    try:
        with path.open("xb") as target:
            try:
                with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
                    container = Writing(file)
                    fill(container)
                    manifest = container.manifest()
                    container.close(manifest, sign(manifest))
            except BaseException:
                path.unlink(missing_ok=True)
                raise
    except FileExistsError:
        raise FileExistsError(f"{path} exists") from None


def _received(folder: Path, submission: Submission, timeline: Sequence[Event], container: Writing) -> Iterator[str]:
    is_purged = any(event.name == PURGED for event in timeline)
    for file in submission.files:
        if (folder / file.name).exists():
            container.add_file(f"received/{file.name}", folder / file.name)
        elif is_purged:
            yield f"received/{file.name}: its time was up; the event {PURGED} says when it went"
        else:
            yield f"received/{file.name} is not in custody"


def _answers(connection: Connection, ticket: str, container: Writing) -> Iterator[str]:
    """Put in every answer that its sender was given: of a repeat, those to the first."""
    for name in chained.from_iterable(answers.names(connection, of) for of in _answered(connection, ticket)):
        data, signature, _ = file_names(name.prefix, name.stem)
        if purges.are_answers_gone(connection, name.ticket):
            yield f"answers/{data}: its time was up; the event {ANSWERS_PURGED} of {name.ticket} has its SHA-256"
            continue
        answer = answers.load(connection, name.ticket, name.ordinal)
        container.add(f"answers/{data}", answer.data)
        container.add(f"answers/{signature}", answer.signature)


def _answered(connection: Connection, ticket: str) -> list[str]:
    """The tickets whose answers the sender of ``ticket`` was given, or will be."""
    kinds = (Kind.ANSWER, Kind.PUBLISH)
    given = [standing.effect.facts for kind in kinds for standing in effects.standings(connection, kind, ticket)]
    return list(dict.fromkeys([ticket, *(facts["answer_of"] for facts in given)]))


def _relied(timeline: Sequence[Event], find: Find, container: Writing) -> Iterable[str]:
    """Put in what the verdict relied on; answers what is no longer there."""
    wanted: dict[str, relied.Kind] = {}
    for event in timeline:
        for said in relied_on(event.facts):
            for kind in relied.Kind:
                wanted |= dict.fromkeys(said.get(kind, ()), kind)
    for digest, kind in wanted.items():
        found = find(kind, digest)
        if isinstance(found, bytes):
            container.add(f"{kind}/{digest}.der", found)
        else:
            yield f"{kind}/{digest}.der: {found}"


def deliveries(connection: Connection, ticket: str) -> list[dict[str, Any]]:
    """What was placed, published and forwarded, when (microseconds), and what still waits; and who fetched it when.

    Of answers that were made for another ticket, which this one repeats, the fetches are those of either sender's
    session: a file in OUT is one file.
    """
    query = sa.select(*_DELIVERY).where(planned.c.ticket == ticket).order_by(planned.c.kind, planned.c.ordinal)
    done = [dict(row) for row in connection.execute(query).mappings()]
    fetched = [
        {"kind": "fetch", "state": "done", "done_at": event.at, "ticket": of, "facts": dict(event.facts)}
        for of in _answered(connection, ticket)
        for event in submissions.timeline(connection, of)
        if event.name == answers.FETCHED
    ]
    return done + fetched


_DELIVERY: Final = tuple(planned.c[name] for name in ("kind", "state", "done_at", "ordinal", "facts"))


def _event(link: Link) -> dict[str, Any]:
    return {name: getattr(link, name) for name in ("number", "ticket", "at", "name", "facts", "content", "digest")}


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode("ascii")
