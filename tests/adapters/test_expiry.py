"""Senders are warned of what ends, in a real journal."""

from typing import Any, Final

import pytest
import sqlalchemy as sa

from gateway import accounts, parties
from gateway.openings import Channel, Opening
from gateway.parties import Sender, SignatureProfile
from gateway.register import enterprises, expiry
from gateway.register.channels import open_channel
from gateway.register.enterprises import Kind
from gateway.register.mandates import notify_mandate
from gateway.registrations import Period
from spool.expiries import Ending, What, warnings_of
from spool.journal import Journal
from spool.tables import certificates, events
from tests.authority import Pki
from tests.enterprises_made import HELPDESK, granted, staffed

DAY: Final = 86_400_000_000
END: Final = 10_000 * DAY
KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
NEXT: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"


@pytest.fixture
def sender(journal: Journal) -> str:
    """One with a user."""
    with journal.write() as connection:
        parties.add_sender(connection, Sender("123456", SignatureProfile.DETACHED, "R", ("*",), active=True))
        parties.add_user(connection, "123456", "payroll01", [])
    return "123456"


def noted(journal: Journal) -> list[dict[str, Any]]:
    """The facts of every event of a warning."""
    with journal.read() as connection:
        query = sa.select(events.c.facts).where(events.c.name == "expiry.warned").order_by(events.c.number)
        return list(connection.execute(query).scalars())


def shown(journal: Journal, sender: str, at: int) -> list[Ending]:
    """What stands in the status of a sender."""
    with journal.read() as connection:
        return warnings_of(connection, sender, at)


def test_every_mark_is_told_once(journal: Journal, sender: str) -> None:
    """However often it is looked, and after a restart: what was told is in the journal."""
    with journal.write() as connection:
        fingerprint = accounts.add_key(connection, "payroll01", KEY, Period(None, END))
    counts = [expiry.warn(journal, END - days * DAY) for days in (61, 60, 60, 45, 30, 29, 7, 7, 1)]
    facts = noted(journal)

    assert [0, 1, 0, 0, 1, 0, 1, 0, 0] == counts
    assert [60, 30, 7] == [each["days"] for each in facts]
    assert {"sender": sender, "what": "key", "days": 60, "count": 1, "first_end": END} == {
        name: facts[0][name] for name in ("sender", "what", "days", "count", "first_end")
    }
    ending = Ending(sender, What.KEY, f"payroll01 {fingerprint}", END)
    assert [ending] == shown(journal, sender, END - 5 * DAY)
    assert 5 == ending.days_left(END - 5 * DAY)
    assert [] == shown(journal, sender, END)
    assert [] == shown(journal, "123457", END - 5 * DAY)


@pytest.mark.parametrize(
    ("next_from", "next_to", "expected"),
    [(None, None, 0), (END, END + 400 * DAY, 0), (END + 1, None, 1), (None, END - DAY, 1)],
)
def test_a_key_that_another_follows_is_no_end(
    journal: Journal, sender: str, next_from: int | None, next_to: int | None, expected: int
) -> None:
    """Without a gap: then nobody is locked out."""
    with journal.write() as connection:
        accounts.add_key(connection, "payroll01", KEY, Period(None, END))
        accounts.add_key(connection, "payroll01", NEXT, Period(next_from, next_to))

    # Of two that end, the one that ends first is followed by the other.
    assert expected == expiry.warn(journal, END - 50 * DAY)


def test_a_certificate_ends_with_its_registration_or_by_itself(journal: Journal, sender: str, pki: Pki) -> None:
    """Whichever comes first; one that was given another end is no warning any more."""
    credential = pki.issue("x").read()
    with journal.write() as connection:
        fingerprint = parties.add_certificate(connection, sender, credential, Period(None, END))
        this = certificates.c.fingerprint == fingerprint
        connection.execute(sa.update(certificates).where(this).values(not_after=END + 5 * DAY))
    assert 1 == expiry.warn(journal, END - 50 * DAY)
    assert [Ending(sender, What.CERTIFICATE, fingerprint, END)] == shown(journal, sender, END - 50 * DAY)
    with journal.write() as connection:
        connection.execute(sa.update(certificates).where(this).values(valid_to=None))

    assert [] == shown(journal, sender, END - 50 * DAY)
    assert 1 == expiry.warn(journal, END - 50 * DAY)
    assert [END + 5 * DAY] == [each.expires_at for each in shown(journal, sender, END - 50 * DAY)]


def test_both_sides_are_warned_of_a_mandate(journal: Journal) -> None:
    """Those that send; in the log a provider's many stand in one line."""
    why = {"reason": "test"}
    with journal.write() as connection:
        employers = [staffed(connection, which).quality for which in (0, 1)]
        granted(enterprises.register_enterprise(connection, HELPDESK, "0987654394", "Kantoor", **why))
        act = enterprises.activate_quality
        provider = granted(act(connection, HELPDESK, "0987654394", Kind.PROVIDER_LEGAL, **why)).number
        for employer in employers:
            period = Period(0, END)
            granted(notify_mandate(connection, HELPDESK, employer, provider, period, **why))
        numbers = [
            granted(open_channel(connection, HELPDESK, quality, Opening(Channel.SFTP, "R"), **why))
            for quality in (provider, employers[0])
        ]

    assert 3 == expiry.warn(journal, END - 50 * DAY)
    assert {(numbers[0], 2), (numbers[1], 1)} == {(each["sender"], each["count"]) for each in noted(journal)}
    assert ["1", "2"] == [each.key for each in shown(journal, numbers[0], END - 50 * DAY)]
    assert ["1"] == [each.key for each in shown(journal, numbers[1], END - 50 * DAY)]


def test_who_is_blocked_is_not_warned_and_what_is_long_past_is_forgotten(journal: Journal, sender: str) -> None:
    """A year after the end nothing is left of its warnings."""
    with journal.write() as connection:
        accounts.add_key(connection, "payroll01", KEY, Period(None, END))
        parties.set_active(connection, sender, active=False)
    assert 0 == expiry.warn(journal, END - 50 * DAY)
    with journal.write() as connection:
        parties.set_active(connection, sender, active=True)
    assert 1 == expiry.warn(journal, END - 50 * DAY)
    expiry.warn(journal, END + 366 * DAY)

    assert [] == shown(journal, sender, END - 50 * DAY)
