"""How many signatures does a core verify, and what does a large file cost beyond its digest?

    python -m benchmarks.signatures [--quick]

measures through the port (``signing.verify``), both sides of each comparison in turns within one run, and exits with 1
if a limit is missed:

- detached CMS over 10 KB by a known certificate, with a revocation list of 200,000 entries in the entry: 600 a second
  and core; beside it the bare mathematics of one RSA-2048 signature, to tell a slow machine from slow code
- a file of 300 MB: at least 0.85 of the speed of SHA-256 alone, and memory that doesn't grow with the file

``--quick`` takes fewer turns, a list of 20,000 entries and a file of 64 MB, and holds them against the same limits.
"""

import argparse
import base64
import hashlib
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from asn1crypto import algos, core, crl, x509
from cryptography import x509 as certificates
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from signing.evidence import Evidence
from signing.trust import authorities
from signing.trust.authorities import Authorities
from signing.verify import verify_detached
from tests import signers
from tests.authority import Credential, Pki
from tests.cms_builder import element

MIN_A_SECOND = 600.0
MIN_SHARE_OF_HASHING = 0.85
MAX_GROWTH = 32 << 20  # bytes, far less than any file that is measured
SMALL = 10_240
_TICK = 0.001  # some kernels count processor time so coarsely that little work takes none


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: entries of the list, bytes of the large file, turns of either side, calls in a turn."""

    entries: int
    large: int
    turns: int
    calls: int


FULL = Size(entries=200_000, large=300_000_000, turns=7, calls=300)
QUICK = Size(entries=20_000, large=64_000_000, turns=3, calls=300)


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report; ``is_met`` says whether the limit holds."""

    text: str
    is_met: bool


def measure(folder: Path, size: Size) -> list[Result]:
    """Everything, in a folder of its own."""
    pki = Pki.create(folder / "pki")
    entries = folder / "authorities"
    pki.install(entries, "measured")
    signer = pki.issue("A Known Signer", key="rsa-2048")
    # The large file first: memory that the long list took would hide what the file takes.
    large = _large(folder, signer, authorities.load(entries), size)
    (folder / "pki" / "issuing.crl").write_bytes(long_list(pki.issuing_credential, size.entries))
    pki.install(entries, "measured")
    return [_small(folder, signer, authorities.load(entries), size), *large]


def long_list(issuer: Credential, entries: int) -> bytes:
    """A revocation list of many entries, as DER; cryptography's builder would take hours."""
    now = datetime.now(UTC).replace(microsecond=0)
    when = core.UTCTime(now - timedelta(days=30)).dump()
    lines = (core.Integer((1 << 100) + number).dump() + when for number in range(entries))
    revoked = b"".join(b"\x30" + bytes([len(line)]) + line for line in lines)
    algorithm = algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"})
    listed = crl.TbsCertList(
        {
            "version": "v2",
            "signature": algorithm,
            "issuer": x509.Certificate.load(issuer.read().public_bytes(Encoding.DER)).subject,
            "this_update": x509.Time({"utc_time": core.UTCTime(now - timedelta(hours=1))}),
            "next_update": x509.Time({"utc_time": core.UTCTime(now + timedelta(days=7))}),
            "revoked_certificates": crl.RevokedCertificates.load(element(0x30, revoked)),
            "crl_extensions": [{"extn_id": "crl_number", "extn_value": core.Integer(1)}],
        }
    )
    key = issuer.private()
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority has another key than it was made with")
    value = key.sign(listed.dump(), ec.ECDSA(hashes.SHA256()))
    der: bytes = crl.CertificateList(
        {"tbs_cert_list": listed, "signature_algorithm": algorithm, "signature": value}
    ).dump()
    return der


def _small(folder: Path, signer: Credential, accepted: Authorities, size: Size) -> Result:
    data = _file(folder / "small", SMALL)
    verify = _verification(data, signer, accepted)
    bare = _bare(signer.read())
    verify()
    ours, alone = _in_turns(verify, bare, size.turns, size.calls)
    rate = size.calls / ours
    text = (
        f"CMS of 10 KB, list of {size.entries:,} entries: {rate:,.0f} a second and core (limit {MIN_A_SECOND:,.0f}); "
    )
    return Result(text + f"RSA-2048 alone: {size.calls / alone:,.0f}", rate >= MIN_A_SECOND)


def _large(folder: Path, signer: Credential, accepted: Authorities, size: Size) -> list[Result]:
    data = _file(folder / "large", size.large)
    verify = _verification(data, signer, accepted)

    def alone() -> None:
        with data.open("rb") as file:
            hashlib.file_digest(file, "sha256")

    alone()
    before = _peak()
    verify()
    growth = _peak() - before
    ours, hashing = _in_turns(verify, alone, size.turns, 1)
    megabytes = size.large / 1e6
    text = f"{megabytes:,.0f} MB: {megabytes / ours:,.0f} MB/s; SHA-256 alone {megabytes / hashing:,.0f} MB/s; "
    text += f"share {hashing / ours:.2f} (limit {MIN_SHARE_OF_HASHING})"
    memory = f"{megabytes:,.0f} MB: memory grew by {growth / 1e6:.1f} MB (limit {MAX_GROWTH / 1e6:.1f})"
    return [Result(text, hashing / ours >= MIN_SHARE_OF_HASHING), Result(memory, growth <= MAX_GROWTH)]


def _in_turns(one: Callable[[], None], other: Callable[[], None], turns: int, calls: int) -> tuple[float, float]:
    """The medians of the CPU seconds that each takes for that many calls."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(turns):
        for work, seconds in zip((one, other), taken, strict=True):
            start = time.process_time()
            for _ in range(calls):
                work()
            seconds.append(max(time.process_time() - start, _TICK))
    return statistics.median(taken[0]), statistics.median(taken[1])


def _verification(data: Path, signer: Credential, accepted: Authorities) -> Callable[[], None]:
    signature = base64.encodebytes(signers.cms(data, signer))
    at = datetime.now(UTC)

    def verify() -> None:
        verdict = verify_detached(data, signature, authorities=accepted, at=at)
        if not isinstance(verdict, Evidence):
            raise TypeError(f"a good signature was refused: {verdict}")

    return verify


def _bare(certificate: certificates.Certificate) -> Callable[[], None]:
    """One RSA verification; that the signature is a certificate's own is all the same to the mathematics."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    content = certificate.tbs_certificate_bytes
    value, public = key.sign(content, padding.PKCS1v15(), hashes.SHA256()), key.public_key()
    return lambda: public.verify(value, content, padding.PKCS1v15(), hashes.SHA256())


def _file(path: Path, size: int) -> Path:
    line = b"<Form>an invented line of sixty-four bytes with its line end</Form>\r\n"
    with path.open("wb") as file:
        for _ in range(size // (len(line) * 1000) + 1):
            file.write(line * min(1000, size // len(line)))
    return path


def _peak() -> int:
    """The most memory that this process ever held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> int:
    """Measure, print, and answer the exit status."""
    parser = argparse.ArgumentParser(description="Speed and memory of signature verification.")
    parser.add_argument("--quick", action="store_true", help="less of everything, in a few seconds")
    size = QUICK if parser.parse_args().quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Path(folder), size)
    for result in results:
        sys.stdout.write(f"{'ok  ' if result.is_met else 'MISS'} {result.text}\n")
    return 0 if all(result.is_met for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
