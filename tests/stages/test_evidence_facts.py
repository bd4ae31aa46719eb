"""What the journal keeps of a submission's signatures."""

import hashlib
import json
from datetime import UTC, datetime

import pytest

from gateway.evidence import evidence_facts
from gateway.parties import SignatureProfile
from signing.evidence import Evidence, Fault, Format, Reason

_EVIDENCE = Evidence(
    format=Format.XADES,
    certificate=b"signer",
    fingerprint=hashlib.sha256(b"signer").hexdigest(),
    authority="staff",
    sha256="1" * 64,
    leniencies=("text-mode", "pem-armour"),
    content=b"<the declaration/>",
    chain=(b"issuing", b"root"),
    revocation=("2" * 64, "3" * 64),
    signed_at=datetime(2026, 11, 21, 9, tzinfo=UTC),
    stamped_at=datetime(2026, 11, 21, 9, 0, 1, tzinfo=UTC),
    ignored_stamps=1,
)


def test_everything_a_later_proof_needs_is_there_and_nothing_that_names_somebody() -> None:
    """Certificates, lists and data by their digests, moments, the authority's entry, what was tolerated."""
    facts = evidence_facts(SignatureProfile.DETACHED, [_EVIDENCE])

    assert facts == {
        "signed_by": "sender",
        "signatures": [
            {
                "format": "xades",
                "certificate": _EVIDENCE.fingerprint,
                "authority": "staff",
                "chain": [hashlib.sha256(der).hexdigest() for der in (b"issuing", b"root")],
                "revocation": ["2" * 64, "3" * 64],
                "data": "1" * 64,
                "signed_at": "2026-11-21T09:00:00+00:00",
                "stamped_at": "2026-11-21T09:00:01+00:00",
                "ignored_stamps": 1,
                "leniencies": ["pem-armour", "text-mode"],
            }
        ],
        "refused": None,
    }
    assert facts == json.loads(json.dumps(facts))


def test_a_refusal_has_its_reason_and_the_parts_that_were_good() -> None:
    """The second of two parts was refused; the first one's signature is on record."""
    facts = evidence_facts(SignatureProfile.DETACHED, [_EVIDENCE], Fault(Reason.REVOKED, "The certificate is revoked."))

    assert ("revoked", 1) == (facts["refused"], len(facts["signatures"]))


@pytest.mark.parametrize(
    ("profile", "evidence", "fault", "signed_by"),
    [
        (SignatureProfile.CHANNEL, [None], None, "channel"),
        (SignatureProfile.DETACHED, [None], None, "nobody"),
        (SignatureProfile.DETACHED, [], None, "nobody"),
        (SignatureProfile.DETACHED, [None, _EVIDENCE], None, "sender"),
        (SignatureProfile.ENVELOPED, [], Fault(Reason.SYNTAX, "This is no XML."), "sender"),
    ],
)
def test_it_is_said_who_signed(
    profile: SignatureProfile, evidence: list[Evidence | None], fault: Fault | None, signed_by: str
) -> None:
    """The sender, the channel alone, or nobody, as simulation allows."""
    facts = evidence_facts(profile, evidence, fault)

    assert signed_by == facts["signed_by"]
    assert [item is None for item in evidence] == [item is None for item in facts["signatures"]]
