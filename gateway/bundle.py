"""What proves, years from now, what became of a ticket?

The files as received, the answers as sent with our signatures, the verdict with its findings, every event with what
shows its place under a signed checkpoint, what went where, and the certificates, lists and responses that were relied
on as far as they are still among the accepted authorities'; what is not is named. All of it in one container of
:mod:`gateway.asic`, which :mod:`gateway.proof` verifies.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from sqlalchemy.engine import Connection

from gateway.asic import Writing
from gateway.sealing import UnsealableError
from signing.trust.authorities import Authorities
from spool import answers, chain, checkpoints, effects, merkle, submissions
from spool.answers import file_names
from spool.chain import Link
from spool.checkpoints import Checkpoints
from spool.effects import Kind
from spool.submissions import Submission

EVENTS: Final = "evidence/events.json"
SUBMISSION: Final = "evidence/submission.json"
DELIVERIES: Final = "evidence/deliveries.json"
MISSING: Final = "evidence/missing.json"


def write(
    connection: Connection, folder: Path, submission: Submission, known: Mapping[str, bytes], container: Writing
) -> list[str]:
    """Put all but the events of ``submission`` into a container; answers what is missing, in words.

    Args:
        folder: where its files are in custody
        known: what :func:`relied_on` gave
    """
    missing = [*_received(folder, submission, container), *_relied(connection, submission.ticket, known, container)]
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


def relied_on(authorities: Authorities) -> dict[str, bytes]:
    """The certificates, revocation lists and responses of the accepted authorities, by their SHA-256 (hex)."""
    found: dict[str, bytes] = {}
    for entry in authorities:
        for der in (entry.certificate, *entry.chain, *entry.list_issuers, *entry.crls, *entry.responses):
            found[hashlib.sha256(der).hexdigest()] = der
    return found


def _received(folder: Path, submission: Submission, container: Writing) -> Iterator[str]:
    for file in submission.files:
        if (folder / file.name).exists():
            container.add_file(f"received/{file.name}", folder / file.name)
        else:
            yield f"received/{file.name} is no longer kept"


def _relied(connection: Connection, ticket: str, known: Mapping[str, bytes], container: Writing) -> Iterable[str]:
    """Put in what the verdict relied on; answers what is no longer there."""
    wanted: dict[str, str] = {}
    for event in submissions.timeline(connection, ticket):
        for signature in event.facts.get("signatures") or ():
            for kind in ("chain", "revocation"):
                wanted |= dict.fromkeys((signature or {}).get(kind, ()), kind)
    for digest, kind in wanted.items():
        if digest in known:
            container.add(f"{kind}/{digest}.der", known[digest])
        else:
            yield f"{kind}/{digest}.der: the gateway does not keep it any more"


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
