"""What has a client proved, is it enough, and does it still hold?  Pure.

RFC 4252, 5.1: a method may succeed without the log-in being complete; what is left to prove is then told.  The order is
fixed: a password counts beside a key only after it.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import assert_never

from channels.ports import Account, Authentication
from channels.sftp.algorithms import key_blob
from channels.sources import is_within


@dataclass(frozen=True, slots=True)
class Proof:
    """``username`` has signed with the key ``key`` (its wire form), or said the password, of ``account``."""

    username: str
    account: Account
    key: bytes | None = None


class Step(Enum):
    """Where a log-in stands."""

    REFUSED = auto()
    PASSWORD_NEXT = auto()
    IN = auto()


def next_step(username: str, by_key: Proof | None, by_password: Proof | None) -> Step:
    """What ``username`` has reached by these proofs; those of somebody else count for nothing."""
    key = by_key if by_key is not None and by_key.username == username else None
    password = by_password if by_password is not None and by_password.username == username else None
    latest = password or key
    if latest is None:
        return Step.REFUSED
    wanted = latest.account.authentication
    match wanted:
        case Authentication.KEY:
            return Step.IN if key else Step.REFUSED
        case Authentication.PASSWORD:
            return Step.IN if password else Step.REFUSED
        case Authentication.BOTH:
            if not key:
                return Step.REFUSED
            return Step.IN if password else Step.PASSWORD_NEXT
        case _:
            assert_never(wanted)


def withdrawn(by_key: Proof | None, by_password: Proof | None, account: Account | None, source: str) -> str:
    """Why somebody who is in by these proofs would not be let in now by ``account``; empty if he would."""
    latest = by_password or by_key
    if account is None or latest is None or account.sender != latest.account.sender:
        return "blocked"
    if account.sources and not is_within(source, account.sources):
        return "address no longer allowed"
    if by_key is not None and by_key.key not in map(key_blob, account.keys):
        return "key withdrawn"
    asks_key = account.authentication is not Authentication.PASSWORD
    asks_password = account.authentication is not Authentication.KEY
    if (asks_key and by_key is None) or (asks_password and by_password is None):
        return "more has to be proved now"
    return ""
