"""A day of an invented gateway in a journal: what the status page has to show of good and bad; nobody in it exists."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from config.administration import Operations
from config.settings import Settings
from gateway.parties import Sender, SignatureProfile, add_sender, add_user
from signing.own.keys import create_signing_key
from spool import answers, chain, effects, holds, maintenance
from spool.answers import AnswerName, StoredAnswer
from spool.effects import Failure, Kind
from spool.holds import Selection, Word
from spool.journal import Journal
from spool.mailbox import Mailbox
from spool.maintenance import Window
from spool.submissions import State
from spool.tables import certificates, failed_logins, files, ssh_keys, submissions
from tests.authority import Pki

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

TYPES: Final = ("DMFA", "DMFA", "DMFA", "DIMN", "DIMN", "DIMN", "DIMN", "WECH")
SENDERS: Final = ("123456", "123457", "100200", "234567", "345678")
CODES: Final = ("ACRF-125", "ACRF-125", "ACRF-255", "ACRF-133", "ACRF-155")
REASON: Final = "TrustUnavailable: no list of 'staff' counts any more"
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Made:
    """A submission to be written: when it came, how long until its answer (microseconds; None: none yet)."""

    ticket: str
    at: int
    sender: str
    purpose: str
    state: State
    took: int | None
    codes: tuple[str, ...] = ()
    held: str | None = None


def ticket_of(number: int) -> str:
    """A ticket as a gateway makes them."""
    digits = ""
    for _ in range(5):
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return f"MG8K2Q0X{digits}"


def day_of(at: int, count: int, *, seed: int = 7) -> list[Made]:
    """So many submissions of the hours before ``at``, most of them as they should be, in the order of receipt."""
    chance = Random(seed)
    made = []
    for number in range(count):
        received = at - int((1 - number / count) ** 1.5 * 6 * HOUR) - 20 * SECOND
        sender, purpose = chance.choice(SENDERS), chance.choice(TYPES)
        refused = chance.random() < (0.6 if sender == "345678" else 0.04)
        took = int(chance.uniform(0.8, 9) * SECOND)
        state = State.REJECTED if refused else State.ACCEPTED
        codes = (chance.choice(CODES),) if refused else ()
        made.append(Made(ticket_of(number), received, sender, purpose, state, took, codes))
    return made


def write(connection: Connection, some: list[Made]) -> None:
    """Put submissions into a journal, with their files and events."""
    connection.execute(sa.insert(submissions), [row_of(one, number) for number, one in enumerate(some, 1)])
    connection.execute(
        sa.insert(files), [{"ticket": one.ticket, "name": _name(one, n), "size": 2048, "sha256": "e3b0" * 16}
                           for n, one in enumerate(some, 1)],
    )  # fmt: skip
    happened = [event for number, one in enumerate(some, 1) for event in _events(one, _name(one, number))]
    chain.append(connection, sorted(happened, key=lambda event: event[1]))


def _name(one: Made, number: int) -> str:
    return f"GO.{one.purpose}.{one.sender}.20261121.{number % 100_000:05}.R" + ("" if one.purpose == "WECH" else ".1")


def row_of(one: Made, number: int) -> dict[str, Any]:
    """The row of a submission."""
    done = None if one.took is None else one.at + one.took
    name = _name(one, number)
    return {
        "ticket": one.ticket, "received_at": one.at, "channel": "sftp", "sender": one.sender, "username": "payroll01",
        "directory": "IN", "name": name, "stem": name.partition(".")[2].removesuffix(".1"), "content": "c",
        "state": one.state, "attempts": 0, "next_attempt_at": 0, "verdict_at": done, "closed_at": done, "forms": 3,
        "findings": [[code, "line 12: an element that the type does not have"] for code in one.codes],
    }  # fmt: skip


def _events(one: Made, name: str) -> list[tuple[str | None, int, str, Mapping[str, Any]]]:
    happened: list[tuple[str | None, int, str, Mapping[str, Any]]] = [
        (one.ticket, one.at + SECOND // 5, "custody.taken", {"name": name, "files": 3, "sha256": {}})
    ]
    if one.held is not None:
        event = "submission.quarantined" if one.state == State.QUARANTINED else "submission.held"
        happened.append((one.ticket, one.at + SECOND, event, {"reason": one.held, "attempt": 1}))
    if one.took is not None:
        stem = f"ACRF.999999.20261121.{name.split('.')[4]}.R"
        at = one.at + one.took
        happened += [
            (one.ticket, at - SECOND // 4, f"verdict.{one.state}", {"codes": list(one.codes), "forms": 3}),
            (one.ticket, at, "answer.placed", {"stem": stem}),
        ]
        if one.state == State.ACCEPTED:
            happened += [(one.ticket, at + n, "declaration.forwarded", {"form": n}) for n in (1, 2, 3)]
        happened.append((one.ticket, at + 4, "submission.closed", {}))
    return happened


def bad_ones(at: int) -> list[Made]:
    """One that waits, one that is held, one in quarantine, one that was late, one with parked declarations."""
    return [
        Made("MG8K2Q0XWAIT1", at - 3 * MINUTE, "100200", "DMFA", State.RECEIVED, None),
        Made("MG8K2Q0XHELD1", at - 40 * MINUTE, "234567", "DIMN", State.HELD, None, held=REASON),
        Made("MG8K2Q0XQUAR1", at - 50 * MINUTE, "123457", "WECH", State.QUARANTINED, None, held="WorkerFailedError"),
        Made("MG8K2Q0XLATE1", at - 30 * MINUTE, "234567", "DIMN", State.ACCEPTED, 150 * SECOND, held=REASON),
        Made("MG8K2Q0XPARK1", at - 90 * MINUTE, "123456", "DMFA", State.ACCEPTED, 5 * SECOND),
    ]


def make_day(journal: Journal, at: int, count: int = 240, *, trouble: bool = True) -> None:
    """Fill an empty journal with a day, with or without its troubles."""
    with journal.write() as connection:
        for number in SENDERS:
            add_sender(connection, Sender(number, SignatureProfile.DETACHED, "RTS", ("*",), active=True))
            add_user(connection, number, f"payroll{number}", [])
        made = day_of(at, count)
        if not trouble:
            made = [one for one in made if not one.codes]
        write(connection, made + (bad_ones(at) if trouble else []))
        answers.store(connection, StoredAnswer(_answer(made[0].ticket), b"<ACRF/>", b"c2ln"))
        if trouble:
            _trouble(connection, at)


def _answer(ticket: str) -> AnswerName:
    return AnswerName(ticket, 1, Mailbox("123456", "OUT"), "FO", "ACRF.999999.20261121.00001.R")


def _trouble(connection: Connection, at: int) -> None:
    effects.plan(connection, "MG8K2Q0XPARK1", Kind.FORWARD, [{"payload": "form"}] * 3)
    pending = effects.pending(connection, Kind.FORWARD, 10)
    effects.failed(connection, [Failure(one, 10, "the queue refused it: too large", None) for one in pending])
    connection.execute(
        sa.insert(failed_logins),
        [
            _failures("payroll345678", "192.0.2.77", 9, at - MINUTE, at + 30 * MINUTE),
            _failures("payroll100200", "192.0.2.78", 3, at - 9 * MINUTE, 0),
            _failures("", "192.0.2.77", 21, at - MINUTE, at + 15 * MINUTE),
        ],
    )
    word = Word("operator:nobody", "waits for a corrected file, as agreed")
    holds.place(connection, Selection(sender="234567", purpose="DIMN"), word, at - 2 * HOUR, None)
    window = Window(at + 3 * HOUR, at + 5 * HOUR, "new disks", "operator:nobody")
    maintenance.announce(connection, window, at - HOUR)
    connection.execute(
        sa.insert(certificates),
        [_certificate(number, at + days * DAY) for number, days in (("123456", 4), ("100200", 23), ("234567", 400))],
    )
    key = {"username": "payroll123457", "fingerprint": "SHA256:made", "line": "ssh-ed25519 AAAA", "valid_from": None}
    connection.execute(sa.insert(ssh_keys), [key | {"valid_to": at + 41 * DAY}])


def _failures(username: str, source: str, failures: int, failed_at: int, until: int) -> dict[str, Any]:
    return {
        "username": username, "source": source, "failures": failures, "failed_at": failed_at, "locked_until": until,
        "succeeded_at": 0,
    }  # fmt: skip


def _certificate(sender: str, not_after: int) -> dict[str, Any]:
    return {
        "sender": sender, "fingerprint": hashlib.sha256(sender.encode()).hexdigest(), "der": b"",
        "registered_at": 0, "valid_from": None,
        "valid_to": None, "not_after": not_after, "holder": None, "issuer": None,
    }  # fmt: skip


def make_site(folder: Path, operations: Operations, *, stale: bool = True) -> Settings:
    """Settings with an authority whose list is fresh, one whose list may be too old, and a certificate of our own."""
    at = datetime.now(UTC)
    authorities = folder / "authorities"
    authorities.mkdir(parents=True, exist_ok=True)
    for name, hours in (("citizens", 9), ("staff", -3 if stale else 20)):
        pki = Pki.create(folder / f"pki-{name}", name.title())
        pki.write_crls(this_update=at - timedelta(hours=20), next_update=at + timedelta(hours=hours))
        pki.install(authorities, name)
    create_signing_key(folder / "own.key", folder / "own.pem", "Gateway")
    settings = Settings(operations=operations)
    return settings.model_copy(
        update={
            "spool": settings.spool.model_copy(update={"path": folder, "reserve": 1}),
            "journal": settings.journal.model_copy(update={"path": folder / "journal.sqlite3"}),
            "trust": settings.trust.model_copy(update={"authorities": authorities}),
            "signing": settings.signing.model_copy(
                update={"key": folder / "own.key", "certificate": folder / "own.pem"}
            ),
            "sftp": settings.sftp.model_copy(update={"host_key": folder / "host.key"}),
        }
    )
