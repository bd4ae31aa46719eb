"""May this sender send a file of this name here?"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest

from gateway.openings import Channel, Opening
from gateway.parties import Sender, SignatureProfile
from gateway.registrations import Period
from gateway.senders import NameRules, check_sender
from schemas.catalogue import Catalogue, load
from schemas.codes import Code
from spool.submissions import State, Submission

_OPEN = tuple(Opening(Channel.SFTP, environment) for environment in "RTS")
_SENDER = Sender("123456", SignatureProfile.DETACHED, "RTS", ("DIMN",), active=True, openings=_OPEN)
_RULES = NameRules(today=date(2026, 11, 21), max_age_days=366, max_parts=9)


def codes(name: str, sender: Sender = _SENDER, directory: str = "IN", kinds: Catalogue | None = None) -> list[Code]:
    """The codes that a file of this name gets."""
    submission = Submission(
        "T", 1, "sftp", "123456", "payroll01", directory, name, "stem", "content", State.RECEIVED, 0
    )
    return [finding.code for finding in check_sender(submission, sender, _RULES, kinds or load())]


@pytest.mark.parametrize(
    ("name", "directory", "expected"),
    [
        ("GO.DIMN.123456.20261121.00001.R.1", "IN", []),
        ("GO.DIMN.123456.20261121.00001.T.1", "INTEST", []),
        ("GO.DIMN.123456.20261121.00001.S.1", "INTEST-S", []),
        ("GO.DIMN.123456.20261121.00001.R.1", "INTEST-S", [Code.PRODUCTION_ELSEWHERE]),
        ("GO.DIMN.123456.20261121.00001.T.1", "IN", [Code.TEST_ELSEWHERE]),
        ("GO.DIMN.123456.20261121.00001.S.1", "INTEST", [Code.SIMULATION_ELSEWHERE]),
        ("GO.DIMN.123457.20261121.00001.R.1", "IN", [Code.SENDER_NOT_OWNER]),
        ("GO.DIMN.123456.20261122.00001.R.1", "IN", [Code.DATE_FUTURE]),
        ("GO.DIMN.123456.20251119.00001.R.1", "IN", [Code.DATE_TOO_OLD]),
        ("GO.DIMN.123456.20251120.00001.R.1", "IN", []),
        ("GO.DMFA.123456.20261121.00001.R.1", "IN", [Code.PURPOSE_NOT_ALLOWED]),
        ("GO.DIMN.123456.20261121.001.R.1", "IN", [Code.SEQUENCE_LENGTH]),
        ("FO.ACRF.999999.20261121.00001.R", "IN", [Code.PREFIX_INVALID]),
        ("GO.DIMN.111111.20261122.00001.T.1", "IN", [Code.DATE_FUTURE, Code.SENDER_NOT_OWNER, Code.TEST_ELSEWHERE]),
    ],
)
def test_name_login_and_directory_have_to_agree(name: str, directory: str, expected: list[Code]) -> None:
    """Each disagreement has its code, and all of them are told at once."""
    assert expected == codes(name, directory=directory)


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        (replace(_SENDER, active=False), [Code.SENDER_NOT_AUTHORISED]),
        (replace(_SENDER, environments="TS"), [Code.SENDER_NOT_AUTHORISED]),
        (replace(_SENDER, purposes=("WECH",)), [Code.PURPOSE_NOT_ALLOWED]),
        (replace(_SENDER, purposes=()), [Code.PURPOSE_NOT_ALLOWED]),
        (replace(_SENDER, purposes=("*",)), []),
    ],
)
def test_a_right_that_is_not_given_is_not_had(sender: Sender, expected: list[Code]) -> None:
    """Blocked, not for this environment, not for this purpose."""
    assert expected == codes("GO.DIMN.123456.20261121.00001.R.1", sender=sender)


@pytest.mark.parametrize(
    ("openings", "expected"),
    [
        (_OPEN, []),
        ((), [Code.CHANNEL_MISMATCH]),
        ([Opening(Channel.MQ, "R"), Opening(Channel.EBOX, "R")], [Code.CHANNEL_MISMATCH]),
        ([Opening(Channel.SFTP, "T")], [Code.CHANNEL_MISMATCH]),
        ([Opening(Channel.SFTP, "R", Period(1, 2))], []),
        ([Opening(Channel.SFTP, "R", Period(None, 1))], [Code.ACCESS_MODE_NOT_ALLOWED]),
        ([Opening(Channel.SFTP, "R", Period(2, None))], [Code.ACCESS_MODE_NOT_ALLOWED]),
        ([Opening(Channel.SFTP, "R", Period(0, 1)), Opening(Channel.SFTP, "R", Period(1, None))], []),
    ],
)
def test_a_channel_counts_while_it_is_open(openings: Sequence[Opening], expected: list[Code]) -> None:
    """In its environment only, at the moment of receipt, which here is 1; its end is not part of it."""
    sender = replace(_SENDER, openings=tuple(openings))

    assert expected == codes("GO.DIMN.123456.20261121.00001.R.1", sender=sender)


@pytest.mark.parametrize("purpose", ["ABCD", "DMNO"])
def test_a_purpose_that_nobody_may_send_is_not_accepted_from_anybody(purpose: str) -> None:
    """A right to every purpose does not reach past the catalogue, nor to what only the network sends."""
    everything = replace(_SENDER, purposes=("*",))

    assert codes(f"GO.{purpose}.123456.20261121.00001.R.1", sender=everything) == [Code.PURPOSE_NOT_ALLOWED]


def test_a_purpose_whose_structure_is_unknown_is_let_through_to_the_validation() -> None:
    """Its sender may have the right to it; that no schema is known here is told as such (088)."""
    everything = replace(_SENDER, purposes=("*",))

    assert codes("GO.PUBL.123456.20261121.00001.R.1", sender=everything) == []


@pytest.mark.parametrize(("environments", "expected"), [("TS", [Code.PURPOSE_NOT_ALLOWED]), ("RTS", [])])
def test_a_type_that_is_not_for_an_environment_is_nobodys_there(environments: str, expected: list[Code]) -> None:
    """What is only tried out may not come in production."""
    kinds = [replace(kind, environments=frozenset(environments)) for kind in load()]

    assert expected == codes("GO.DIMN.123456.20261121.00001.R.1", kinds=Catalogue(kinds))


def test_a_purpose_is_for_every_environment_that_one_of_its_types_is_for() -> None:
    """Which type a file is stands in its content."""
    first, *_ = load().of_purpose("DIMN")
    kinds = Catalogue([replace(first, environments=frozenset("T")), replace(first, root="Other")])

    assert codes("GO.DIMN.123456.20261121.00001.R.1", kinds=kinds) == []
