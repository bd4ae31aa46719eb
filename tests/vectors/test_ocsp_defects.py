"""OCSP responses with one defect each: good, revoked or unknown, and what ``openssl ocsp`` says (RFC 6960, 3.2)."""

import subprocess
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from signing.evidence import Reason
from tests.authority import now
from tests.cms_builder import ACCEPTED, REFUSED
from tests.hierarchy import DAY, UNKNOWN, Extension, Known, List, Member, Verdict, certify, entry, sign_for
from tests.network import Network

HOUR = timedelta(hours=1)
FOR_RESPONSES: Extension = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)
NEVER_REVOKED: Extension = (x509.OCSPNoCheck(), False)


def responder(issuer: Member, *extensions: Extension, days: tuple[int, int] = (-30, 300)) -> Member:
    """Somebody to whom an authority delegated its responses."""
    return certify("Responder", issuer, ca=None, usages=("digital_signature",), days=days, extensions=extensions)


@dataclass
class Response:
    """A response in the making: about whom, of whose issuer, and by whom."""

    about: Member
    issuer: Member
    by: Member | None = None
    revoked_at: datetime | None = None
    reason: x509.ReasonFlags | None = None
    is_known: bool = True
    this_update: datetime = field(default_factory=lambda: now() - HOUR)
    next_update: datetime | None = field(default_factory=lambda: now() + DAY)
    algorithm: hashes.HashAlgorithm = field(default_factory=hashes.SHA1)

    def dump(self) -> bytes:
        """The response as DER."""
        status = ocsp.OCSPCertStatus.REVOKED if self.revoked_at else ocsp.OCSPCertStatus.GOOD
        builder = ocsp.OCSPResponseBuilder().add_response(
            self.about.certificate,
            self.issuer.certificate,
            self.algorithm,
            status if self.is_known else ocsp.OCSPCertStatus.UNKNOWN,
            self.this_update,
            self.next_update,
            self.revoked_at,
            self.reason,
        )
        signer = self.by or self.issuer
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
        builder = builder.certificates([self.by.certificate]) if self.by else builder
        return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def judge(folder: Path, network: Network, *responses: bytes, lists: tuple[List, ...] = ()) -> tuple[Verdict, str]:
    """The gateway's verdict, and what OpenSSL says of the first response."""
    known = Known([each.dump() for each in lists], responses)
    return network.judge_by(folder, known)[0], openssl(folder, network, responses[0])


def openssl(folder: Path, network: Network, response: bytes) -> str:
    """Whether ``openssl ocsp`` says good, of a response that it verifies and finds in time."""
    files = {name: folder / f"{name}.ocsp" for name in ("root", "issuing", "signer", "response")}
    files["response"].write_bytes(response)
    for member in ("root", "issuing", "signer"):
        files[member].write_bytes(getattr(network, member).certificate.public_bytes(Encoding.PEM))
    command = ["openssl", "ocsp", "-respin", files["response"], "-issuer", files["issuing"], "-cert", files["signer"]]
    command += ["-CAfile", files["root"], "-verify_other", files["issuing"], "-no_nonce"]
    done = subprocess.run([*map(str, command)], check=False, capture_output=True, timeout=30, text=True)
    said = done.stdout + done.stderr
    is_good = "Response verify OK" in said and ": good" in said and "WARNING" not in said
    return ACCEPTED if is_good else REFUSED


def delegated(network: Network, *extensions: Extension, issuer: Member | None = None) -> Response:
    """A good response by a responder of the issuing authority."""
    by = responder(issuer or network.issuing, *(extensions or (FOR_RESPONSES, NEVER_REVOKED)))
    return Response(network.signer, network.issuing, by)


def test_no_defect(tmp_path: Path) -> None:
    """Valid: what the vectors below spoil is good, and needs no list of the issuer."""
    network = Network()
    assert (ACCEPTED, ACCEPTED) == judge(tmp_path, network, Response(network.signer, network.issuing).dump())


def test_a_certificate_named_by_sha_256(tmp_path: Path) -> None:
    """Valid: responders may use a better algorithm for the name (4.3)."""
    network = Network()
    response = Response(network.signer, network.issuing, algorithm=hashes.SHA256())
    assert ACCEPTED == judge(tmp_path, network, response.dump())[0]


def test_a_revoked_signer(tmp_path: Path) -> None:
    """Revoked: the responder says so."""
    network = Network()
    response = Response(network.signer, network.issuing, revoked_at=now() - HOUR)
    assert (Reason.REVOKED, REFUSED) == judge(tmp_path, network, response.dump())


def test_a_signer_revoked_after_receipt(tmp_path: Path) -> None:
    """Good: what was received before the revocation stays so."""
    network = Network()
    response = Response(network.signer, network.issuing, revoked_at=now() + HOUR)
    assert ACCEPTED == judge(tmp_path, network, response.dump())[0]


def test_a_signer_on_hold(tmp_path: Path) -> None:
    """Revoked: on hold is not to be used (2.2)."""
    network = Network()
    held = x509.ReasonFlags.certificate_hold
    response = Response(network.signer, network.issuing, revoked_at=now() - HOUR, reason=held)
    assert (Reason.REVOKED, REFUSED) == judge(tmp_path, network, response.dump())


def test_a_responder_that_does_not_know(tmp_path: Path) -> None:
    """Unknown: that is no refusal, and no good (2.2)."""
    network = Network()
    response = Response(network.signer, network.issuing, is_known=False)
    assert (UNKNOWN, REFUSED) == judge(tmp_path, network, response.dump())


def test_a_stale_response(tmp_path: Path) -> None:
    """Unknown: newer news should be here (4.2.2.1)."""
    network = Network()
    response = Response(network.signer, network.issuing, this_update=now() - 3 * DAY, next_update=now() - DAY)
    assert (UNKNOWN, REFUSED) == judge(tmp_path, network, response.dump())


def test_a_response_of_tomorrow(tmp_path: Path) -> None:
    """Unknown: nobody knows today what will be revoked tomorrow (4.2.2.1)."""
    network = Network()
    response = Response(network.signer, network.issuing, this_update=now() + DAY, next_update=now() + 2 * DAY)
    assert (UNKNOWN, REFUSED) == judge(tmp_path, network, response.dump())


def test_a_response_without_next_update(tmp_path: Path) -> None:
    """Unknown: newer news is always there, and this is an hour old (4.2.2.1)."""
    network = Network()
    assert UNKNOWN == judge(tmp_path, network, Response(network.signer, network.issuing, next_update=None).dump())[0]


def test_a_new_response_without_next_update(tmp_path: Path) -> None:
    """Valid: it counts for half an hour."""
    network = Network()
    response = Response(network.signer, network.issuing, this_update=now() - HOUR / 6, next_update=None)
    assert (ACCEPTED, ACCEPTED) == judge(tmp_path, network, response.dump())


def test_a_response_about_another_certificate(tmp_path: Path) -> None:
    """Unknown: the number isn't the signer's (3.2)."""
    network = Network()
    response = Response(sign_for(network.issuing), network.issuing)
    assert (UNKNOWN, REFUSED) == judge(tmp_path, network, response.dump())


def test_a_response_about_another_issuers_certificate(tmp_path: Path) -> None:
    """Unknown: the number is the signer's, the issuer isn't (3.2)."""
    network = Network()
    other = certify("Issuing", network.root)
    response = Response(network.signer, other, network.issuing)
    assert (UNKNOWN, REFUSED) == judge(tmp_path, network, response.dump())


def test_a_tampered_response(tmp_path: Path) -> None:
    """Unknown: one bit of the signature is turned."""
    network = Network()
    spoilt = bytearray(Response(network.signer, network.issuing).dump())
    spoilt[-1] ^= 1
    assert (UNKNOWN, REFUSED) == judge(tmp_path, network, bytes(spoilt))


def test_a_response_that_is_cut_off(tmp_path: Path) -> None:
    """Unknown: it can't be read."""
    network = Network()
    whole = Response(network.signer, network.issuing).dump()
    assert (UNKNOWN, REFUSED) == judge(tmp_path, network, whole[: len(whole) // 2])


def test_an_error_of_the_responder(tmp_path: Path) -> None:
    """Unknown: tryLater says nothing (4.2.1)."""
    network = Network()
    later = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    assert (UNKNOWN, REFUSED) == judge(tmp_path, network, later.public_bytes(Encoding.DER))


def test_a_response_by_a_stranger(tmp_path: Path) -> None:
    """Unknown: of another network, though for the same purpose (4.2.2.2)."""
    network = Network()
    response = delegated(network, issuer=certify("Issuing"))
    assert (UNKNOWN, REFUSED) == judge(tmp_path, network, response.dump())


def test_a_response_by_the_signer(tmp_path: Path) -> None:
    """Unknown: nobody clears himself."""
    network = Network()
    response = Response(network.signer, network.issuing, network.signer)
    assert (UNKNOWN, REFUSED) == judge(tmp_path, network, response.dump())


def test_a_response_by_the_root(tmp_path: Path) -> None:
    """Unknown: only the issuer answers for its certificates, or delegates (4.2.2.2)."""
    network = Network()
    response = Response(network.signer, network.issuing, network.root)
    assert UNKNOWN == judge(tmp_path, network, response.dump())[0]


def test_a_delegated_responder(tmp_path: Path) -> None:
    """Valid: the issuer's, for this purpose, and excused from revocation (4.2.2.2.1)."""
    network = Network()
    assert (ACCEPTED, ACCEPTED) == judge(tmp_path, network, delegated(network).dump())


def test_a_delegated_responder_that_revokes(tmp_path: Path) -> None:
    """Revoked: it speaks for the issuer."""
    network = Network()
    response = delegated(network)
    response.revoked_at = now() - HOUR
    assert (Reason.REVOKED, REFUSED) == judge(tmp_path, network, response.dump())


def test_a_responder_without_the_purpose(tmp_path: Path) -> None:
    """Unknown: the issuer's certificate for something else (4.2.2.2)."""
    network = Network()
    response = delegated(network, NEVER_REVOKED)
    assert (UNKNOWN, REFUSED) == judge(tmp_path, network, response.dump())


def test_a_responder_of_the_root(tmp_path: Path) -> None:
    """Unknown: the delegation must be the issuer's own (4.2.2.2)."""
    network = Network()
    response = delegated(network, issuer=network.root)
    assert (UNKNOWN, REFUSED) == judge(tmp_path, network, response.dump())


def test_an_expired_responder(tmp_path: Path) -> None:
    """Unknown: its certificate must be valid (4.2.2.2)."""
    network = Network()
    by = responder(network.issuing, FOR_RESPONSES, NEVER_REVOKED, days=(-30, -1))
    assert (UNKNOWN, REFUSED) == judge(tmp_path, network, Response(network.signer, network.issuing, by).dump())


def test_a_responder_whose_revocation_is_unknown(tmp_path: Path) -> None:
    """Unknown: without OCSPNoCheck somebody must say that it isn't revoked (4.2.2.2.1)."""
    network = Network()
    assert UNKNOWN == judge(tmp_path, network, delegated(network, FOR_RESPONSES).dump())[0]


def test_a_responder_on_no_list(tmp_path: Path) -> None:
    """Valid: the issuer's list clears the responder; it clears the signer as well."""
    network = Network()
    response, crl = delegated(network, FOR_RESPONSES), List(network.issuing)
    assert (ACCEPTED, ACCEPTED) == judge(tmp_path, network, response.dump(), lists=(crl,))


def test_a_revoked_responder_that_revokes(tmp_path: Path) -> None:
    """Good by the list: a revoked responder revokes nobody (4.2.2.2.1)."""
    network = Network()
    response = delegated(network, FOR_RESPONSES)
    response.revoked_at = now() - HOUR
    assert response.by is not None
    crl = List(network.issuing, [entry(response.by)])
    assert ACCEPTED == judge(tmp_path, network, response.dump(), lists=(crl,))[0]


def test_a_list_that_revokes_beside_a_good_response(tmp_path: Path) -> None:
    """Revoked: a revocation for good is never taken back, whatever is newer."""
    network = Network()
    response = Response(network.signer, network.issuing, this_update=now())
    crl = List(network.issuing, [entry(network.signer)])
    assert Reason.REVOKED is judge(tmp_path, network, response.dump(), lists=(crl,))[0]


def test_a_response_that_revokes_beside_a_good_list(tmp_path: Path) -> None:
    """Revoked: responders often know sooner than lists."""
    network = Network()
    response = Response(network.signer, network.issuing, revoked_at=now() - HOUR)
    assert Reason.REVOKED is judge(tmp_path, network, response.dump(), lists=(List(network.issuing),))[0]


def test_a_newer_response_that_ends_a_hold(tmp_path: Path) -> None:
    """Good: the newest source says whether a certificate is on hold."""
    network = Network()
    held = entry(network.signer, (x509.CRLReason(x509.ReasonFlags.certificate_hold), False))
    crl = List(network.issuing, [held], this_update=now() - DAY)
    response = Response(network.signer, network.issuing)
    assert ACCEPTED == judge(tmp_path, network, response.dump(), lists=(crl,))[0]


def test_the_good_one_of_two_responses(tmp_path: Path) -> None:
    """Good: a stale response beside a fresh one does no harm."""
    network = Network()
    stale = Response(network.signer, network.issuing, this_update=now() - 3 * DAY, next_update=now() - DAY)
    fresh = Response(network.signer, network.issuing)
    assert ACCEPTED == judge(tmp_path, network, fresh.dump(), stale.dump())[0]


def together(signer: Member, *responses: bytes) -> bytes:
    """One response with the answers of several."""
    whole = asn1_ocsp.OCSPResponse.load(responses[0])
    basic = whole["response_bytes"]["response"].parsed
    said = basic["tbs_response_data"]
    for other in responses[1:]:
        said["responses"].append(asn1_ocsp.OCSPResponse.load(other).response_data["responses"][0])
    assert isinstance(signer.key, ec.EllipticCurvePrivateKey)
    basic["signature"] = signer.key.sign(said.dump(force=True), ec.ECDSA(hashes.SHA256()))
    whole["response_bytes"]["response"] = asn1_ocsp.BasicOCSPResponse.load(basic.dump(force=True))
    dumped: bytes = whole.dump(force=True)
    return dumped


@pytest.mark.parametrize("fresh_first", [True, False])
def test_a_stale_answer_beside_a_fresh_one_about_the_same_number(*, fresh_first: bool, tmp_path: Path) -> None:
    """Unknown: the fresh one is about another issuer's certificate, and lends the stale one nothing."""
    network = Network()
    ours = Response(network.signer, network.issuing, this_update=now() - 3 * DAY, next_update=now() - DAY).dump()
    theirs = Response(network.signer, certify("Issuing", network.root)).dump()
    response = together(network.issuing, *((theirs, ours) if fresh_first else (ours, theirs)))
    assert UNKNOWN == judge(tmp_path, network, response)[0]


def test_two_answers_in_one_response(tmp_path: Path) -> None:
    """Good: a response may be about several certificates."""
    network = Network()
    other = Response(sign_for(network.issuing), network.issuing).dump()
    response = together(network.issuing, other, Response(network.signer, network.issuing).dump())
    assert ACCEPTED == judge(tmp_path, network, response)[0]
