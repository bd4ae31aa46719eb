"""What do the parts of a submission cost by themselves, on this machine and in this run?

Part of :mod:`benchmarks.throughput`. Each part does what the promises ask for and nothing else:

- transfer: asyncssh's own server on uvloop, which writes the files, driven by the same senders
- disk: FI, FS, GO and envelope written and synced, the rename into custody with both folders, the declarations, the two
  files of an answer with their folder, and three commits (custody, verdict, answer placed)
- signature: digest, signature and the certificate's issuer, with asn1crypto and cryptography
- schema: one pass of lxml with the type's schema
- answer: a CMS over it with a key like the gateway's
- publish: one message a declaration by bare pika, a window of them confirmed

Run as a program (``python -m benchmarks.throughput_floor FOLDER``) it is that bare server; it prints its port.
"""

import asyncio
import base64
import hashlib
import os
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncssh
import uvloop
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7
from lxml import etree

from benchmarks.mq import Bare
from benchmarks.throughput_sets import MadeSet
from channels.mq.connection import Brokers, connection_parameters
from channels.mq.publisher import Destination, open_publisher
from channels.mq.topology import routing
from config.messages import Routing
from schemas import catalogue
from spool.files import move_durably, sync_file, sync_folder, write_durably

FORMS: Final = 3  # declarations in a set
_VERSION: Final = "20231"


@dataclass(frozen=True, slots=True)
class Part:
    """What one part costs a submission, in seconds: of wall clock, of the gateway's own CPU, and of others' CPU."""

    name: str
    wall: float
    cpu: float
    others: float = 0.0


@dataclass(frozen=True, slots=True)
class Given:
    """What the parts work on: sets of one signer, the authority's certificate, the gateway's own key (PEM)."""

    sets: Sequence[MadeSet]
    issuer: x509.Certificate
    own_key: Path
    own_certificate: Path


# --- parts in this process


def in_process(given: Given, folder: Path) -> list[Part]:
    """Disk, signature, schema and answer, one after the other."""
    disk = _Disk(folder)
    answer = _answerer(given)
    parts = [
        _timed("disk", given.sets, disk.take),
        _timed("signature", given.sets, lambda made: _verify(made, given.issuer)),
        _timed("schema", given.sets, _schema_check()),
        _timed("answer", given.sets, lambda _: answer()),
    ]
    disk.close()
    return parts


def _timed(name: str, sets: Sequence[MadeSet], work: Callable[[MadeSet], None]) -> Part:
    work(sets[0])
    cpu, start = time.process_time(), time.perf_counter()
    for made in sets[1:]:
        work(made)
    count = len(sets) - 1
    return Part(name, (time.perf_counter() - start) / count, (time.process_time() - cpu) / count)


class _Disk:
    """The files, renames and commits of sets."""

    def __init__(self, folder: Path) -> None:
        self._incoming, self._custody, self._out = folder / "incoming", folder / "custody", folder / "out"
        for made in (self._incoming, self._custody, self._out):
            made.mkdir(parents=True)
        self._journal = sqlite3.connect(folder / "journal", isolation_level=None)
        script = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE sets (name, facts)"
        self._journal.executescript(script)

    def take(self, made: MadeSet) -> None:
        """Everything of one set."""
        place = self._incoming / made.stem
        place.mkdir()
        for name, data in made.files:
            (place / name).write_bytes(data)
            sync_file(place / name)
        write_durably(place / "envelope", b"{}")
        move_durably(place, self._custody / made.stem)
        self._commit(made.stem)
        (place := self._custody / made.stem / "declarations").write_bytes(made.data)
        sync_file(place)
        self._commit(made.stem)
        for prefix in ("FO", "FS"):
            (self._out / f"{prefix}.{made.stem}").write_bytes(made.signature)
            sync_file(self._out / f"{prefix}.{made.stem}")
        sync_folder(self._out)
        self._commit(made.stem)

    def _commit(self, name: str) -> None:
        self._journal.execute("INSERT INTO sets VALUES (?, ?)", (name, "x" * 1000))

    def close(self) -> None:
        """Close the database."""
        self._journal.close()


def _verify(made: MadeSet, issuer: x509.Certificate) -> None:
    signed = cms.ContentInfo.load(base64.b64decode(made.signature))["content"]
    info = signed["signer_infos"][0]
    attributes = {item["type"].native: item["values"][0].native for item in info["signed_attrs"]}
    if attributes["message_digest"] != hashlib.sha256(made.data).digest():
        raise SystemExit("the digest does not fit")
    certificate = x509.load_der_x509_certificate(signed["certificates"][0].dump())
    public = certificate.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise SystemExit("a key on a curve is expected")
    public.verify(info["signature"].native, info["signed_attrs"].untag().dump(), ec.ECDSA(hashes.SHA256()))
    certificate.verify_directly_issued_by(issuer)


def _schema_check() -> Callable[[MadeSet], None]:
    kind = next(iter(catalogue.load().of_purpose("DIMN")))
    schema = etree.XMLSchema(etree.parse(kind.versions[_VERSION]))

    def check(made: MadeSet) -> None:
        parser = etree.XMLParser(schema=schema)
        parser.feed(made.data)
        parser.close()

    return check


def _answerer(given: Given) -> Callable[[], None]:
    key = load_pem_private_key(given.own_key.read_bytes(), password=None)
    certificate = x509.load_pem_x509_certificate(given.own_certificate.read_bytes())
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise SystemExit("a key that signs is expected")
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]

    def answer() -> None:
        builder = pkcs7.PKCS7SignatureBuilder().set_data(b"<ACRF/>" * 200)
        builder.add_signer(certificate, key, hashes.SHA256()).sign(Encoding.DER, options)

    return answer


# --- parts with a server


async def publish(url: str, sets: int, others: Callable[[], float]) -> Part:
    """Messages of so many sets with confirms; ``others`` answers the broker's CPU seconds so far."""
    name = "floor"
    brokers = Brokers((connection_parameters(url),))
    made = routing(Routing(exchange=name, queue=name, alternate=""))
    async with open_publisher(Destination(brokers, made)) as publisher:
        await publisher.wait_connected()
    bare = Bare(brokers.addresses[0])
    try:
        return await _published(bare.publish, name, sets, others)
    finally:
        bare.close()


async def _published(
    send: Callable[[str, int], Awaitable[None]], exchange: str, sets: int, others: Callable[[], float]
) -> Part:
    await send(exchange, FORMS)
    theirs, cpu, start = others(), time.process_time(), time.perf_counter()
    await send(exchange, FORMS * sets)
    wall, own = time.perf_counter() - start, time.process_time() - cpu
    return Part("publish", wall / sets, own / sets, (others() - theirs) / sets)


class _Open(asyncssh.SSHServer):
    """Lets everybody in."""

    def begin_auth(self, _username: str) -> bool:
        return False


async def serve(folder: Path) -> None:
    """Be the bare server, until the process is ended."""
    (folder / "IN").mkdir(parents=True)

    def files(channel: Any) -> asyncssh.SFTPServer:
        return asyncssh.SFTPServer(channel, chroot=os.fsencode(folder))

    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.listen("127.0.0.1", 0, server_factory=_Open, server_host_keys=[key], sftp_factory=files)
    sys.stdout.write(f"{server.get_port()}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
