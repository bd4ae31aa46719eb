"""What proves, years from now, what became of a ticket?

The files as received, the answers as sent with our signatures, the verdict with its findings, every event with what
shows its place under a signed checkpoint, what went where, and the certificates, lists and responses that were relied
on (:mod:`gateway.reliance`); what is not there any more is named. All of it in one container of
:mod:`gateway.asic`, which :mod:`gateway.proof` verifies.
"""

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from sqlalchemy.engine import Connection

from gateway.asic import Writing
from gateway.sealing import UnsealableError
from spool import answers, chain, checkpoints, effects, merkle, relied, submissions
from spool.answers import file_names
from spool.chain import Link
from spool.checkpoints import Checkpoints
from spool.effects import Kind
from spool.submissions import Submission

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
    missing = [*_received(folder, submission, container), *_relied(connection, submission.ticket, find, container)]
    for name in answers.names(connection, submission.ticket):
        answer = answers.load(connection, submission.ticket, name.ordinal)
        data, signature, _ = file_names(name.prefix, name.stem)
        container.add(f"answers/{data}", answer.data)
        container.add(f"answers/{signature}", answer.signature)
    container.add(SUBMISSION, _json(asdict(submission)))
    container.add(DELIVERIES, _json(_deliveries(connection, submission.ticket)))
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


def _received(folder: Path, submission: Submission, container: Writing) -> Iterator[str]:
    for file in submission.files:
        if (folder / file.name).exists():
            container.add_file(f"received/{file.name}", folder / file.name)
        else:
            yield f"received/{file.name} is no longer kept"


def _relied(connection: Connection, ticket: str, find: Find, container: Writing) -> Iterable[str]:
    """Put in what the verdict relied on; answers what is no longer there."""
    wanted: dict[str, relied.Kind] = {}
    for event in submissions.timeline(connection, ticket):
        for signature in event.facts.get("signatures") or ():
            for kind in relied.Kind:
                wanted |= dict.fromkeys((signature or {}).get(kind, ()), kind)
    for digest, kind in wanted.items():
        found = find(kind, digest)
        if isinstance(found, bytes):
            container.add(f"{kind}/{digest}.der", found)
        else:
            yield f"{kind}/{digest}.der: {found}"


def _deliveries(connection: Connection, ticket: str) -> list[dict[str, Any]]:
    return [
        {
            "kind": kind.value,
            "state": standing.state,
            "ordinal": standing.effect.ordinal,
            "facts": standing.effect.facts,
        }
        for kind in Kind
        for standing in effects.standings(connection, kind, ticket)
    ]


def _event(link: Link) -> dict[str, Any]:
    return {name: getattr(link, name) for name in ("number", "ticket", "at", "name", "facts", "content", "digest")}


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode("ascii")
