"""The register of senders in a real journal: what is registered, from when to when, and what of it is readable."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.serialization import Encoding

from gateway import parties
from gateway.parties import Sender, SignatureProfile, UnknownCertificateError
from gateway.registrations import ALWAYS, Period
from signing.evidence import Format
from signing.holder import holder_of
from signing.policy import Leniency
from spool.journal import Journal
from spool.tables import events
from tests.authority import Credential, Pki
from tests.eid import issue_eid, national_number

_NUMBER = national_number("791103", "995")


def registered(journal: Journal, **rights: Any) -> Sender:
    """Sender 123456, just registered."""
    sender = Sender("123456", SignatureProfile.DETACHED, "RTS", ("*",), active=True, **rights)
    with journal.write() as connection:
        parties.add_sender(connection, sender)
    return sender


def noted(journal: Journal) -> list[str]:
    """The names of all events."""
    with journal.read() as connection:
        return list(connection.execute(sa.select(events.c.name).order_by(events.c.number)).scalars())


def test_a_sender_comes_back_as_it_was_registered(journal: Journal, signer: Credential) -> None:
    """With its formats, its leniencies, and the periods of its certificates."""
    sender = registered(
        journal, formats=frozenset({Format.CMS}), leniencies=frozenset({Leniency.SHA1, Leniency.PEM_ARMOUR})
    )
    with journal.write() as connection:
        parties.add_certificate(connection, "123456", signer.read(), Period(5, 7))
        found = parties.find_sender(connection, "123456")

    assert found is not None
    assert (sender.formats, sender.leniencies) == (found.formats, found.leniencies)
    assert [Period(5, 7)] == [item.period for item in found.certificates]


def test_registering_again_changes_the_period_and_says_so_once(journal: Journal, signer: Credential) -> None:
    """The same certificate has one registration; what changes nothing leaves no event."""
    registered(journal)
    for period in (ALWAYS, ALWAYS, Period(5, None), Period(5, None)):
        with journal.write() as connection:
            parties.add_certificate(connection, "123456", signer.read(), period)
    with journal.read() as connection:
        found = [item.registration.period for item in parties.registered_certificates(connection, "123456")]

    assert [Period(5, None)] == found
    assert ["sender.added", "sender.certificate_added", "sender.certificate_changed"] == noted(journal)


def test_a_registration_ends_by_the_beginning_of_its_fingerprint(journal: Journal, pki: Pki) -> None:
    """Only if that means one, and only the sender's own; wildcards of the database mean nothing."""
    registered(journal)
    with journal.write() as connection:
        fingerprints = [parties.add_certificate(connection, "123456", pki.issue("x").read()) for _ in range(2)]
        ended = parties.end_certificate(connection, "123456", fingerprints[0][:12], 99)
        for sender, prefix in (("123456", ""), ("123456", "%"), ("123456", "f" * 64), ("222222", fingerprints[1])):
            with pytest.raises(UnknownCertificateError):
                parties.end_certificate(connection, sender, prefix, 99)
        periods = {
            item.registration.fingerprint: item.registration.period
            for item in parties.registered_certificates(connection)
        }

    assert fingerprints[0] == ended
    assert {fingerprints[0]: Period(None, 99), fingerprints[1]: ALWAYS} == periods
    assert "sender.certificate_ended" == noted(journal)[-1]


@pytest.mark.sqlite_only
def test_of_a_holder_nothing_personal_lies_in_the_journal(journal: Journal, pki: Pki, tmp_path: Path) -> None:
    """Neither number nor name is anywhere in its files, not even inside a certificate; its issuer and expiry are."""
    registered(journal)
    card = issue_eid(pki, "Annemie Verzonnen", _NUMBER).read()
    holder = holder_of(card.public_bytes(Encoding.DER))
    assert holder is not None
    with journal.write() as connection:
        parties.add_certificate(connection, "123456", card, ALWAYS, holder.mark(bytes(32)))
        [found] = parties.registered_certificates(connection)
    written = b"".join(path.read_bytes() for path in tmp_path.glob("journal.sqlite3*"))

    assert found.issuer == "CN=Test Issuing,C=BE"
    assert found.not_after == parties.microseconds(card.not_valid_after_utc)
    assert found.registration.holder is not None
    assert found.registration.holder.encode() in written
    assert found.der is None
    assert _NUMBER.encode() not in written
    assert b"Annemie" not in written


def test_a_moment_is_written_in_microseconds() -> None:
    """Of UTC, whatever zone it is told in."""
    assert parties.microseconds(datetime.fromisoformat("1970-01-01T01:00:01.5+01:00")) == 1_500_000
