"""Does an exported proof of a ticket still hold, with nothing of the gateway but its certificate?

In this order: our signature and the digests of all files; every event under a checkpoint that we have signed; that
what was received and relied on is what those events name by its SHA-256; our
signatures under the answers; the sender's over what was received, where the verdict says that there was a good one: its
mathematics, its certificate and its file are those of the sealed verdict. Whether the sender's certificate was good on
that day is for the lists in the container, and is not judged again.
"""

import json
import tempfile
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Final

from gateway import asic
from gateway.bundle import EVENTS, MISSING, SUBMISSION
from gateway.evidence import relied_on
from signing.evidence import Fault, Proven
from signing.layout import decode
from signing.own.check import fault_of
from signing.policy import Leniency, Policy
from signing.verify import prove_detached
from signing.xmldsig import examine_enveloped
from spool import checkpoints, merkle, purged_events
from spool.chain import Link, digest_of
from spool.relied import Kind

_MAX_JSON: Final = 64 * 1024**2


class MisfitError(Exception):
    """The first thing that does not fit; the message says which."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A container that holds: whose ticket, how much was checked, what it says to be missing."""

    ticket: str
    events: int
    answers: int
    signatures: int
    missing: tuple[str, ...]


def verify(path: Path, certificates: Collection[bytes]) -> Proof:
    """Verify the container at ``path``.

    Args:
        certificates: those of the gateway, DER

    Raises:
        MisfitError: something does not fit.
        OSError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as file:
            if wrong := asic.fault_in(file, certificates):
                raise MisfitError(wrong)
            return _verified(file, certificates)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as fault:
        raise MisfitError("this is no container, or it is damaged") from fault
    except (KeyError, ValueError, TypeError, RecursionError) as fault:
        raise MisfitError("what is in the container is not written as it must be") from fault


def _verified(file: zipfile.ZipFile, certificates: Collection[bytes]) -> Proof:
    submission, events = _json(file, SUBMISSION), _json(file, EVENTS)
    links = [_checked(file, event, submission["ticket"], certificates) for event in events]
    if wrong := purged_events.fault_of([link for link in links if purged_events.is_of_a_purge(link)]):
        raise MisfitError(wrong)
    missing = _json(file, MISSING)
    _check_taken(submission, events)
    _check_relied(file, events, missing)
    return Proof(
        submission["ticket"],
        len(events),
        _check_answers(file, certificates),
        _check_signatures(file, submission, events),
        tuple(missing),
    )


def _checked(file: zipfile.ZipFile, event: Mapping[str, Any], ticket: str, certificates: Collection[bytes]) -> Link:
    names = ("number", "ticket", "at", "name", "facts", "content", "digest")
    link, ordinal = Link(*(event[name] for name in names)), event["checkpoint"]
    uncovered = bool(link.content and link.facts)
    if uncovered or link.ticket != ticket or digest_of(event["previous"], link) != link.digest:
        raise MisfitError(f"event {link.number} is not what its digest says")
    sealed = checkpoints.read(file.read(f"checkpoints/{ordinal}.json"))
    made = sealed.checkpoint
    if wrong := fault_of(made.statement(), sealed.signature, certificates):
        raise MisfitError(f"checkpoint {ordinal}: {wrong}")
    root = merkle.root_from(link.digest, event["index"], made.events, event["path"])
    if root != made.root or not made.first <= link.number <= made.last:
        raise MisfitError(f"event {link.number} is not under checkpoint {ordinal}")
    return link


def _check_taken(submission: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> None:
    """The digests of the files received are those that the sealed event names; events of before name none."""
    told = {stored["name"]: stored["sha256"] for stored in submission["files"]}
    for event in events:
        sealed = event["facts"].get("sha256") if event["name"] == "custody.taken" else None
        if sealed is not None and sealed != told:
            raise MisfitError("the files are not those that were taken into custody")


def _check_relied(file: zipfile.ZipFile, events: Sequence[Mapping[str, Any]], missing: Sequence[str]) -> None:
    """What the verdict relied on is there, or said to be missing, and is what its name says."""
    names = frozenset(file.namelist())
    signatures = [said for event in events for said in relied_on(event["facts"])]
    for kind in Kind:
        for digest in {digest for said in signatures for digest in said.get(kind, ())}:
            name = f"{kind}/{digest}.der"
            if name in names:
                if sha256(file.read(name)).hexdigest() != digest:
                    raise MisfitError(f"{name} is not what the verdict relied on")
            elif not any(words.startswith(f"{name}: ") for words in missing):
                raise MisfitError(f"{name} is neither there nor said to be missing")


def _check_answers(file: zipfile.ZipFile, certificates: Collection[bytes]) -> int:
    count = 0
    for name in file.namelist():
        prefix, _, stem = name.removeprefix("answers/").partition(".")
        if name.startswith("answers/") and prefix != "FS":
            if wrong := fault_of(file.read(name), decode(file.read(f"answers/FS.{stem}")), certificates):
                raise MisfitError(f"{name}: {wrong}")
            count += 1
    return count


def _check_signatures(file: zipfile.ZipFile, submission: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> int:
    """Verify the sender's signatures that the verdict found good; answers how many there are."""
    for stored in submission["files"]:
        _check_received(file, stored)
    received = sorted(stored["name"] for stored in submission["files"] if stored["name"].startswith("FI."))
    verdicts = [event["facts"] for event in events if event["name"].startswith("verdict.")]
    count = 0
    for name, said in zip(received, (verdicts or [{}])[-1].get("signatures") or (), strict=False):
        if said is not None and f"received/{name}" in file.namelist():
            _check_signature(file, name, said)
            count += 1
    return count


def _check_received(file: zipfile.ZipFile, stored: Mapping[str, Any]) -> None:
    name = f"received/{stored['name']}"
    if name not in file.namelist():
        return
    digest = sha256()
    with file.open(name) as content:
        while piece := content.read(1 << 20):
            digest.update(piece)
    if digest.hexdigest() != stored["sha256"]:
        raise MisfitError(f"{name} is not what was received")


def _check_signature(file: zipfile.ZipFile, name: str, said: Mapping[str, Any]) -> None:
    """The signature of one file, which only has its own name where an XML signature must find it."""
    if PurePosixPath(name).name != name:
        raise MisfitError(f"received/{name} is no name of a file")
    policy = Policy(leniencies=frozenset(Leniency(word) for word in said["leniencies"]))
    beside = f"received/FS.{name.removeprefix('FI.')}"
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / name
        with file.open(f"received/{name}") as source, data.open("wb") as target:
            while piece := source.read(1 << 20):
                target.write(piece)
        if beside in file.namelist():
            proven = prove_detached(data, file.read(beside), policy)
        else:
            proven = examine_enveloped(data, policy)
    if isinstance(proven, Fault):
        raise MisfitError(f"the sender's signature over received/{name}: {proven.detail}")
    if _told(proven) != (said["certificate"], said["data"]):
        raise MisfitError(f"the sender's signature over received/{name} is not the one that was judged")


def _told(proven: Proven) -> tuple[str, str]:
    return sha256(proven.certificate).hexdigest(), proven.sha256


def _json(file: zipfile.ZipFile, name: str) -> Any:
    if file.getinfo(name).file_size > _MAX_JSON:
        raise MisfitError(f"{name} is too large")
    return json.loads(file.read(name))
