"""Does anything but a verdict ever come out of mutated bytes, and does a mutant ever prove something else?

Valid signatures (FS text, CMS, XML inside and beside), certificates, revocation lists, OCSP responses and timestamps
are spoilt at random, bytes here and DER elements there, and given to the port. It may answer evidence, a fault or a
wait (``TrustUnavailable``); evidence must say the same signer and the same file as before.

    python -m tests.vectors.mutate --count 100000 --seed 1

does so that many times, says how each kind ended, and exits with 1 at the first answer that may not be.
"""

import argparse
import base64
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from signing.evidence import Evidence, Fault, TrustUnavailable
from signing.policy import Leniency, Policy
from signing.trust import authorities, ocsp
from signing.trust.authorities import Authorities
from signing.trust.authority import CRLS, RESPONSES, read_entry
from signing.verify import verify_detached, verify_enveloped
from tests import signers
from tests.authority import now
from tests.cms_builder import CONTENT, Bench, certificate_of, element, spliced
from tests.revocation_server import responder
from tests.timestamps import StampBench, draft, tst_info, value_of, with_stamps

POLICY = Policy(leniencies=frozenset(Leniency))
DOCUMENT = b'<Forms Id="all"><Form number="1">an invented text</Form></Forms>'
Verdict = Evidence | Fault


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of input: what it is, how the port is asked about it, and what that proved before it was spoilt."""

    name: str
    valid: bytes
    ask: Callable[[bytes], Verdict]
    proved: Evidence
    is_der: bool = True

    def outcome(self, mutant: bytes) -> str:
        """How the port answered.

        Raises:
            AssertionError: if that may not be; so does any exception but ``TrustUnavailable``
        """
        try:
            verdict = self.ask(mutant)
        except TrustUnavailable:
            return "unavailable"
        if isinstance(verdict, Fault):
            return verdict.reason
        assert _said(verdict) == _said(self.proved), (self.name, mutant.hex())
        assert verdict.stamped_at in {None, self.proved.stamped_at}, (self.name, mutant.hex())
        return "same evidence"


def kinds(folder: Path) -> list[Kind]:
    """Everything that is spoilt, in a folder of its own."""
    bench = Bench.open(folder)
    stamps = StampBench.open(folder, bench.folder / "authorities")
    everyone = authorities.load(folder / "authorities")
    signer = bench.pki.issue("An Invented Signer")
    plain, rich = (
        signers.cms(bench.data, signer),
        signers.cms(bench.data, bench.pki.issue("R", key="rsa-2048"), "-cades"),
    )
    token = draft(stamps.signer, tst_info(value_of(plain))).dump()
    stamped = with_stamps(plain, token)
    certificate = certificate_of(signer).dump()
    enveloped = folder / "enveloped.xml"

    def beside(signature: bytes, accepted: Authorities = everyone) -> Verdict:
        return verify_detached(bench.data, signature, authorities=accepted, at=now(), policy=POLICY)

    def cms(der: bytes) -> Verdict:
        return beside(base64.b64encode(der))

    def inside(document: bytes) -> Verdict:
        enveloped.write_bytes(document)
        return verify_enveloped(enveloped, authorities=everyone, at=now(), policy=POLICY)

    asked: list[tuple[str, bytes, Callable[[bytes], Verdict], bool]] = [
        ("FS text", base64.encodebytes(plain), beside, False),
        ("CMS", plain, cms, True),
        ("CAdES", rich, cms, True),
        ("CAdES-T", stamped, cms, True),
        ("timestamp", token, lambda der: cms(with_stamps(plain, der)), True),
        ("certificate", certificate, lambda der: cms(spliced(plain, certificate, der)), True),
        ("XML beside", signers.detached(CONTENT, bench.data.name, signer), beside, False),
        ("XML inside", signers.enveloped(DOCUMENT, signer), inside, False),
        *_revocation(bench, plain, lambda accepted: beside(base64.b64encode(plain), accepted)),
    ]
    return [Kind(name, valid, ask, _evidence(ask(valid)), is_der) for name, valid, ask, is_der in asked]


def _revocation(
    bench: Bench, signature: bytes, ask: Callable[[Authorities], Verdict]
) -> list[tuple[str, bytes, Callable[[bytes], Verdict], bool]]:
    """A list and an OCSP response, read from the folder of the entry as a running gateway reads them."""
    entry = bench.folder / "authorities" / "test"
    named = {path.read_bytes(): path for path in (entry / CRLS).iterdir()}
    crl = bench.pki.crls[1].read_bytes()
    issuer = bench.pki.issuing_credential.read().public_bytes(Encoding.DER)
    [signer] = signers.certificates(signature)
    response = responder(bench.pki)(ocsp.request(signer, issuer))
    (entry / RESPONSES).mkdir(exist_ok=True)

    def reading(path: Path, content: bytes, absent: Path | None = None) -> Verdict:
        path.write_bytes(content)
        gone = absent.read_bytes() if absent else b""
        try:
            if absent:
                absent.unlink()
            read, _ = read_entry(entry)
            return ask(Authorities((read,)))
        finally:
            path.write_bytes(crl) if absent is None else path.unlink()
            if absent:
                absent.write_bytes(gone)

    answered = entry / RESPONSES / "mutant.ors"
    return [
        ("CRL", crl, lambda der: reading(named[crl], der), True),
        ("OCSP", response, lambda der: reading(answered, der, named[crl]), True),
    ]


def mutant(valid: bytes, chance: random.Random, *, is_der: bool) -> bytes:
    """The bytes after one to three changes; of DER, most of them in its structure."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        change = _restructured if is_der and chance.random() < 0.75 else _scratched
        valid = change(valid, chance)
    return valid


def _scratched(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content) + 1)
    end = min(len(content), start + chance.choice((1, 1, 1, 2, 8, 64)))
    match chance.randrange(6):
        case 0:
            return content[:start] + content[end:]
        case 1:
            return content[:start] + chance.randbytes(chance.choice((1, 2, 8))) + content[start:]
        case 2:
            return content[:end] + content[start:end] + content[end:]
        case 3:
            return content[:start]
        case 4:
            flipped = bytes(byte ^ (1 << chance.randrange(8)) for byte in content[start:end])
            return content[:start] + flipped + content[end:]
        case _:
            return content[:start] + chance.randbytes(end - start) + content[end:]


def _restructured(der: bytes, chance: random.Random) -> bytes:
    """Change one element and mend the lengths around it."""
    places = list(_elements(der, 0, len(der), ()))
    if not places:
        return _scratched(der, chance)
    start, end, above = chance.choice(places)
    other_start, other_end, _ = chance.choice(places)
    whole, other = der[start:end], der[other_start:other_end]
    body = whole[_header(whole, 0)[0] :]
    new = chance.choice(
        (
            b"",
            whole * 2,
            other,
            whole + other,
            element(whole[0] ^ (1 << chance.randrange(8)), body),
            element(chance.choice((0x02, 0x03, 0x04, 0x05, 0x0C, 0x17, 0x18, 0x30, 0x31, 0xA0)), body),
            element(whole[0], b""),
            element(whole[0], body[: len(body) // 2]),
            element(whole[0], chance.randbytes(len(body))),
            element(whole[0], b"\xff" * chance.choice((1, 20, 3000))),
            element(0x30, whole),
        )
    )
    return _mended(der, start, end, above, new)


def _mended(der: bytes, start: int, end: int, above: Sequence[tuple[int, int]], new: bytes) -> bytes:
    for outer_start, outer_end in reversed(above):
        body_start, _ = _header(der, outer_start)
        new = element(der[outer_start], der[body_start:start] + new + der[end:outer_end])
        start, end = outer_start, outer_end
    return der[:start] + new + der[end:]


def _elements(
    der: bytes, start: int, end: int, above: tuple[tuple[int, int], ...]
) -> "list[tuple[int, int, tuple[tuple[int, int], ...]]]":
    found = []
    while start < end:
        try:
            body, stop = _header(der, start)
        except IndexError:
            break
        if stop > end:
            break
        found.append((start, stop, above))
        if der[start] & 0x20 and len(above) < 40:
            found += _elements(der, body, stop, (*above, (start, stop)))
        start = stop
    return found


def _header(der: bytes, start: int) -> tuple[int, int]:
    """Where the body of an element begins and where the element ends."""
    first = der[start + 1]
    if first < 0x80:
        return start + 2, start + 2 + first
    size = first & 0x7F
    begin = start + 2 + size
    return begin, begin + int.from_bytes(der[start + 2 : begin], "big")


def _said(evidence: Evidence) -> tuple[object, ...]:
    """Who signed what, and when; of a document with its signature inside only the content says what."""
    what = evidence.content or evidence.sha256
    return evidence.certificate, what, evidence.signed_at


def _evidence(verdict: Verdict) -> Evidence:
    assert isinstance(verdict, Evidence), verdict
    return verdict


def run(folder: Path, count: int, seed: int) -> dict[str, Counter[str]]:
    """Spoil each kind in turn, that many times in all, and count how they ended.

    Raises:
        Exception: whatever came out that may not; a note says of which mutant
    """
    chance = random.Random(seed)
    all_kinds = kinds(folder)
    counted: dict[str, Counter[str]] = {kind.name: Counter() for kind in all_kinds}
    for number in range(count):
        kind = all_kinds[number % len(all_kinds)]
        spoilt = mutant(kind.valid, chance, is_der=kind.is_der)
        try:
            counted[kind.name][kind.outcome(spoilt)] += 1
        except Exception as error:
            error.add_note(f"{kind.name}, mutant {number} of seed {seed}: {spoilt.hex()}")
            raise
    return counted


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Mutated signatures, certificates, lists, responses and timestamps.")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counted = run(Path(folder), arguments.count, arguments.seed)
    for name, outcomes in counted.items():
        sys.stdout.write(f"{name}: {sum(outcomes.values())}; {dict(outcomes.most_common())}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
