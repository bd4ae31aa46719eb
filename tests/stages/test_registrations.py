"""Is this certificate the sender's?"""

import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.registrations import ALWAYS, Period, Registration, by_holder, refusal
from signing.evidence import Evidence, Format
from signing.holder import holder_of
from tests.authority import Credential, Pki
from tests.eid import issue_eid, national_number

_KEY = bytes(32)
_AT = 1_800_000_000_000_000
_NUMBER = national_number("850412", "997")


def evidence_of(credential: Credential) -> Evidence:
    """A good signature by that certificate."""
    der = credential.read().public_bytes(Encoding.DER)
    return Evidence(Format.CMS, der, hashlib.sha256(der).hexdigest(), "test", "0" * 64, (), None)


def registration_of(credential: Credential, period: Period = ALWAYS, *, holder: bool = False) -> Registration:
    """A registration of that certificate, or of its holder."""
    evidence = evidence_of(credential)
    found = holder_of(evidence.certificate) if holder else None
    return Registration(evidence.fingerprint, period, found.mark(_KEY) if found else None)


@pytest.mark.parametrize(
    ("period", "holds"),
    [
        (Period(), True),
        (Period(_AT, None), True),
        (Period(_AT + 1, None), False),
        (Period(None, _AT), False),
        (Period(None, _AT + 1), True),
        (Period(_AT - 5, _AT - 1), False),
    ],
)
def test_a_registration_holds_from_its_beginning_to_before_its_end(
    signer: Credential, period: Period, holds: bool
) -> None:
    """The first moment is in, the last is out, and an open side is for ever."""
    assert holds is (refusal([registration_of(signer, period)], evidence_of(signer), _AT, None) == "")


def test_old_and_new_certificate_are_good_together_where_their_periods_overlap(pki: Pki) -> None:
    """One certificate takes over from the other without a gap."""
    old, new = pki.issue("Old"), pki.issue("New")
    registered = [registration_of(old, Period(None, _AT + 10)), registration_of(new, Period(_AT, None))]
    good = {
        at: [not refusal(registered, evidence_of(signer), at, None) for signer in (old, new)]
        for at in (_AT - 1, _AT, _AT + 9, _AT + 10)
    }

    assert {
        _AT - 1: [True, False],
        _AT: [True, True],
        _AT + 9: [True, True],
        _AT + 10: [False, True],
    } == good


def test_the_refusal_tells_unknown_from_out_of_time(pki: Pki, signer: Credential) -> None:
    """An operator sees whether a certificate is to be registered or its dates are to be looked at."""
    registered = [registration_of(signer, Period(None, _AT))]

    assert "not registered" in refusal(registered, evidence_of(pki.issue("Other")), _AT, None)
    assert "not for the time of receipt" in refusal(registered, evidence_of(signer), _AT, None)
    assert "not registered" in refusal([], evidence_of(signer), _AT, _KEY)


def test_a_renewed_certificate_is_its_holders(pki: Pki) -> None:
    """Registered by holder, the next card counts too, for as long as the registration does; another person's never."""
    card, renewed = issue_eid(pki, "An", _NUMBER), evidence_of(issue_eid(pki, "An", _NUMBER))
    stranger = evidence_of(issue_eid(pki, "An", national_number("850412", "995")))
    registered = registration_of(card, Period(_AT, _AT + 10), holder=True)

    assert not refusal([registered], renewed, _AT, _KEY)
    assert "not for the time" in refusal([registered], renewed, _AT + 10, _KEY)
    assert "not registered" in refusal([registered], stranger, _AT, _KEY)
    assert "not registered" in refusal([registration_of(card)], renewed, _AT, _KEY)


def test_a_certificate_without_a_holder_is_not_everybodys(pki: Pki, signer: Credential) -> None:
    """No number is not a number that any registration without a holder could have."""
    registered = [
        registration_of(issue_eid(pki, "An", _NUMBER)),
        registration_of(issue_eid(pki, "An", _NUMBER), holder=True),
    ]

    assert refusal(registered, evidence_of(signer), _AT, _KEY)


def test_the_key_is_asked_for_only_where_a_holder_could_decide(pki: Pki) -> None:
    """A registration by holder that has ended needs no key, nor one by certificate."""
    card = issue_eid(pki, "An", _NUMBER)
    ended = registration_of(card, Period(None, _AT), holder=True)

    assert by_holder([replace(ended, period=ALWAYS)], _AT)
    assert not by_holder([ended, registration_of(card)], _AT)
