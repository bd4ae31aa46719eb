"""Of which ends was a sender warned, and which of these are still to come?

A warning is a row of ``expiry_warnings``, given once for each of 60, 30 and 7 days before an end.  What was renewed or
ended otherwise since is looked up when it is read, so that nobody is told of an end that has moved.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.register_tables import expiry_warnings, mandates
from spool.tables import certificates, ssh_keys, technical_users

LISTED: Final = 100
"""As many warnings a sender is shown, the nearest ends first."""

_DAY: Final = 86_400_000_000


class What(StrEnum):
    """What ends: the key of a technical user, a registered certificate, or a mandate."""

    KEY = "key"
    CERTIFICATE = "certificate"
    MANDATE = "mandate"


@dataclass(frozen=True, slots=True)
class Ending:
    """Something of a sender that ends at ``expires_at`` (microseconds).

    ``key`` says which: user name and fingerprint of a key, the fingerprint of a certificate, the number of a mandate.
    """

    sender: str
    what: What
    key: str
    expires_at: int

    @property
    def subject(self) -> str:
        """What it goes by among the warnings."""
        return f"{self.sender} {self.what} {self.key}"

    def days_left(self, at: int) -> int:
        """Whole days that are left at ``at``."""
        return max(0, (self.expires_at - at) // _DAY)


def given(connection: Connection, subjects: Collection[str]) -> Mapping[tuple[str, int], int]:
    """By subject and end, the fewest days before it that a warning was given for."""
    columns = (expiry_warnings.c.subject, expiry_warnings.c.expires_at)
    query = (
        sa.select(*columns, sa.func.min(expiry_warnings.c.days))
        .where(expiry_warnings.c.subject.in_(subjects))
        .group_by(*columns)
    )
    return {(subject, end): days for subject, end, days in connection.execute(query)}


def give(connection: Connection, warned: Iterable[tuple[Ending, int]], at: int) -> None:
    """Write down that these were warned of, so many days before."""
    rows = [
        {"subject": ending.subject, "expires_at": ending.expires_at, "days": days, "given_at": at}
        for ending, days in warned
    ]
    if rows:
        connection.execute(sa.insert(expiry_warnings), rows)


def forget(connection: Connection, before: int) -> None:
    """Drop warnings of what ended before that moment."""
    connection.execute(sa.delete(expiry_warnings).where(expiry_warnings.c.expires_at < before))


def warnings_of(connection: Connection, sender: str, at: int) -> list[Ending]:
    """What a sender was warned of that still ends, and hasn't yet: the nearest `LISTED` ends, in their order."""
    subject = expiry_warnings.c.subject
    query = (
        sa.select(subject, expiry_warnings.c.expires_at)
        .where(subject >= f"{sender} ", subject < f"{sender}!", expiry_warnings.c.expires_at > at)
        .group_by(subject, expiry_warnings.c.expires_at)
        .order_by(expiry_warnings.c.expires_at, subject)
        .limit(LISTED)
    )
    found = [_ending(words, end) for words, end in connection.execute(query)]
    present = _keys(connection, sender) | _certificates(connection, sender) | _mandates(connection, found)
    return [ending for ending in found if present.get((ending.what, ending.key)) == ending.expires_at]


def _ending(subject: str, expires_at: int) -> Ending:
    sender, what, key = subject.split(" ", 2)
    return Ending(sender, What(what), key, expires_at)


def _keys(connection: Connection, sender: str) -> dict[tuple[What, str], int]:
    query = (
        sa.select(ssh_keys.c.username, ssh_keys.c.fingerprint, ssh_keys.c.valid_to)
        .join(technical_users, technical_users.c.username == ssh_keys.c.username)
        .where(technical_users.c.sender == sender, ssh_keys.c.valid_to.is_not(None))
    )
    return {(What.KEY, f"{user} {fingerprint}"): end for user, fingerprint, end in connection.execute(query)}


def _certificates(connection: Connection, sender: str) -> dict[tuple[What, str], int]:
    columns = (certificates.c.fingerprint, certificates.c.not_after, certificates.c.valid_to)
    query = sa.select(*columns).where(certificates.c.sender == sender)
    return {
        (What.CERTIFICATE, fingerprint): not_after if end is None else min(end, not_after)
        for fingerprint, not_after, end in connection.execute(query)
    }


def _mandates(connection: Connection, warned: Iterable[Ending]) -> dict[tuple[What, str], int]:
    numbers = [int(ending.key) for ending in warned if ending.what is What.MANDATE]
    query = sa.select(mandates.c.number, mandates.c.valid_to).where(mandates.c.number.in_(numbers))
    return {(What.MANDATE, str(number)): end for number, end in connection.execute(query)}
