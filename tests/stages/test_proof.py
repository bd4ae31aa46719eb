"""What proofs are enough for, and when they no longer hold."""

import itertools

import asyncssh
import pytest

from channels.ports import Account, Authentication
from channels.sftp.algorithms import key_blob
from channels.sftp.proof import Proof, Step, next_step, withdrawn

KEY, PASSWORD, BOTH = Authentication.KEY, Authentication.PASSWORD, Authentication.BOTH
LINE = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
OTHER = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
HERE = "192.0.2.1"


def account(way: Authentication = KEY, *lines: str, sources: tuple[str, ...] = (), sender: str = "123456") -> Account:
    """An account with one key unless told otherwise."""
    return Account("user", sender, lines or (LINE,), way, sources)


def proofs(way: Authentication, key: bool, password: bool) -> tuple[Proof | None, Proof | None]:
    """What somebody of an account of this ``way`` has proved."""
    of = account(way)
    return Proof("user", of, key_blob(LINE)) if key else None, Proof("user", of) if password else None


@pytest.mark.parametrize(
    ("way", "key", "password", "step"),
    [
        (KEY, False, False, Step.REFUSED),
        (KEY, True, False, Step.IN),
        (KEY, False, True, Step.REFUSED),
        (KEY, True, True, Step.IN),
        (PASSWORD, False, False, Step.REFUSED),
        (PASSWORD, True, False, Step.REFUSED),
        (PASSWORD, False, True, Step.IN),
        (PASSWORD, True, True, Step.IN),
        (BOTH, False, False, Step.REFUSED),
        (BOTH, True, False, Step.PASSWORD_NEXT),
        (BOTH, False, True, Step.REFUSED),
        (BOTH, True, True, Step.IN),
    ],
)
def test_what_is_enough(way: Authentication, key: bool, password: bool, step: Step) -> None:
    """The whole table."""
    assert step is next_step("user", *proofs(way, key, password))


@pytest.mark.parametrize("way", list(Authentication))
def test_proofs_of_somebody_else_are_none(way: Authentication) -> None:
    """Whatever was proved for another name."""
    for key, password in itertools.product((False, True), repeat=2):
        assert Step.REFUSED is next_step("other", *proofs(way, key, password))


@pytest.mark.parametrize(
    ("way", "now", "reason"),
    [
        (KEY, account(), ""),
        (KEY, account(KEY, OTHER, LINE), ""),
        (KEY, account(sources=("192.0.2.0/24",)), ""),
        (KEY, None, "blocked"),
        (KEY, account(sender="654321"), "blocked"),
        (KEY, account(KEY, OTHER), "key withdrawn"),
        (KEY, account(KEY, "nonsense"), "key withdrawn"),
        (KEY, account(sources=("198.51.100.0/24",)), "address no longer allowed"),
        (KEY, account(BOTH), "more has to be proved now"),
        (KEY, account(PASSWORD), "more has to be proved now"),
        (PASSWORD, account(PASSWORD, OTHER), ""),
        (PASSWORD, account(KEY), "more has to be proved now"),
        (BOTH, account(BOTH), ""),
        (BOTH, account(KEY), ""),
        (BOTH, account(BOTH, OTHER), "key withdrawn"),
    ],
)
def test_who_may_not_stay(way: Authentication, now: Account | None, reason: str) -> None:
    """Whoever would not come in again with what was proved."""
    by_key, by_password = proofs(way, way is not PASSWORD, way is not KEY)
    assert reason == withdrawn(by_key, by_password, now, HERE)
