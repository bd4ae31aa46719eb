"""The site that ``scripts/demo`` works on: made afresh, with invented keys, sent to with OpenSSH's sftp.

Every command line is printed as it is run, so that it can be tried by hand.
"""

import base64
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lxml import etree
from signxml import methods
from signxml.signer import XMLSigner

from tests.authority import Credential, Pki

SENDER = "123456"
GATEWAY = [sys.executable, "-m", "gateway"]
PATIENCE = 60.0


class DemoFailedError(Exception):
    """Something did not go as it should."""


def run(*command: str | Path, cwd: Path, show: bool = True) -> str:
    """Run a command, print its line, and answer what it wrote."""
    words = [str(word) for word in command]
    if show:
        print(f"  $ {shlex.join(['gateway', *words[3:]] if words[:3] == GATEWAY else words)}")
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoFailedError(f"exit status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def expect(what: str, wanted: object, found: object) -> None:
    """Say that something is as wanted, or fail."""
    if wanted != found:
        raise DemoFailedError(f"{what}: expected {wanted}, found {found}")
    print(f"    ok: {what}: {found}")


@dataclass
class Site:
    """A site in a fresh folder, its sender's keys, and the gateway that runs on it."""

    folder: Path
    pki: Pki
    good: Credential
    revoked: Credential
    other: Credential
    process: subprocess.Popen[bytes]
    port: int

    def sftp(self, *lines: str, show: bool = True) -> str:
        """What OpenSSH's sftp prints for a batch of commands."""
        if show:
            print("  $ sftp ...", *(f"\n      {line}" for line in lines))
        return run_sftp(self.folder, self.port, lines)


def run_sftp(folder: Path, port: int, lines: tuple[str, ...]) -> str:
    """Run ``lines`` in one sftp session of the demo's technical user."""
    batch = folder / "batch"
    batch.write_text("".join(f"{line}\n" for line in lines))
    return run(*sftp_command(folder, port), "-b", batch, "payroll01@127.0.0.1", cwd=folder / "files", show=False)


def sftp_command(folder: Path, port: int) -> list[str]:
    """The sftp command line for the demo's technical user, without its host."""
    options = ["-q", f"-oPort={port}", f"-oIdentityFile={folder / 'id_ed25519'}", "-oIdentitiesOnly=yes"]
    return [
        "sftp",
        *options,
        f"-oUserKnownHostsFile={folder / 'known_hosts'}",
        "-oStrictHostKeyChecking=yes",
        "-oBatchMode=yes",
    ]


def make_site(folder: Path) -> Site:
    """Make a site with a throw-away authority and the sender, and start its gateway on a free port."""
    print("\n1. A site, an accepted authority, a sender")
    run(*GATEWAY, "init", folder / "site", cwd=folder)
    (folder / "files").mkdir()
    site = folder / "site"
    settings = site / "gateway.toml"
    settings.write_text(settings.read_text().replace("port = 8022", "port = 0"))
    pki = Pki.create(folder / "authority")
    good, revoked, other = map(pki.issue, ("Payroll of the demo", "Lost key of the demo", "Neighbour of the demo"))
    pki.revoke(revoked)
    crls = [word for path in pki.crls for word in ("--crl", str(path))]
    run(*GATEWAY, "authority", "add", "demo", "--certificate", pki.issuing, "--chain", pki.root, *crls, cwd=site)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "id_ed25519", cwd=folder)
    run(
        *GATEWAY, "sender", "add", SENDER, "--user", "payroll01", "--ssh-key", folder / "id_ed25519.pub",
        "--certificate", good.certificate, "--certificate", revoked.certificate, "--any-employer", cwd=site,
    )  # fmt: skip
    run(*GATEWAY, "check-config", cwd=site)
    process, port = start(site, folder / "gateway.log")
    host_key = (site / "keys" / "ssh_host_ed25519_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    return Site(folder, pki, good, revoked, other, process, port)


def start(site: Path, log: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start ``gateway serve`` and answer its process and port once it says that it is ready."""
    print("  $ gateway serve &")
    with log.open("wb") as stderr:
        process = subprocess.Popen([*GATEWAY, "serve"], cwd=site, stderr=stderr, start_new_session=True)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        # Only whole lines: the last one may still be on its way.
        for line in log.read_text().split("\n")[:-1]:
            event = json.loads(line) if line.startswith("{") else {}
            if event.get("event") == "gateway.ready":
                return process, int(event["port"])
        time.sleep(0.1)
    raise DemoFailedError(f"the gateway did not start:\n{log.read_text()}")


def cms(site: Site, name: str, signer: Credential) -> bytes:
    """What a sender puts into FS: a detached CMS signature by openssl, base64 without armour."""
    files = site.folder / "files"
    run(
        "openssl", "cms", "-sign", "-binary", "-in", name, "-signer", signer.certificate, "-inkey", signer.key,
        "-outform", "DER", "-out", "signature.der", cwd=files,
    )  # fmt: skip
    return base64.encodebytes((files / "signature.der").read_bytes())


def xml_signature(site: Site, name: str, signer: Credential) -> bytes:
    """An XML signature beside the data: its one reference names the FI file."""
    print(f"  (an XML signature over {name}, by signxml)")
    maker = XMLSigner(method=methods.detached, signature_algorithm="ecdsa-sha256")
    data = (site.folder / "files" / name).read_bytes()
    signature = maker.sign(data, key=signer.key.read_bytes(), cert=signer.certificate.read_text(), reference_uri=name)
    return bytes(etree.tostring(signature))


T = TypeVar("T")
Signature = Callable[[Site, str, Credential], bytes]


def upload(
    site: Site,
    name: str,
    data: bytes,
    *,
    sign: Signature = cms,
    signer: Credential | None = None,
    sent: bytes | None = None,
) -> None:
    """Sign ``data``, and upload ``sent`` (or the data itself) as the set ``name``."""
    files = site.folder / "files"
    fi, fs, go = f"FI.{name}.1.1", f"FS.{name}.1.1", f"GO.{name}.1"
    (files / fi).write_bytes(data)
    (files / fs).write_bytes(sign(site, fi, signer or site.good))
    (files / fi).write_bytes(data if sent is None else sent)
    (files / go).touch()
    site.sftp("cd IN", f"put {fi}", f"put {fs}", f"put {go}")


def answers(site: Site, kind: str = "ACRF") -> set[str]:
    """The answers of a kind that are in OUT and whole, by their names without the prefix."""
    words = site.sftp("ls -1 OUT", show=False).split()
    return {word.removeprefix("OUT/GO.") for word in words if word.startswith(f"OUT/GO.{kind}.")}


def new_answer(site: Site, before: set[str], kind: str = "ACRF") -> str:
    """The answer of a kind that was not there before; waits for it."""
    return wait_for(f"no new {kind} in OUT", lambda: min(answers(site, kind) - before, default=None))


def wait_for(otherwise: str, look: Callable[[], T | None]) -> T:
    """What ``look`` finds at last."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = look()
        if found is not None:
            return found
        time.sleep(0.2)
    raise DemoFailedError(f"{otherwise} within {PATIENCE:.0f} seconds")


def download(site: Site, stem: str) -> bytes:
    """What the answer ``stem`` says, when its signature is verified."""
    files = site.folder / "files"
    site.sftp("cd OUT", *(f"get {prefix}.{stem}" for prefix in ("FO", "FS", "GO")))
    (files / "answer.der").write_bytes(base64.b64decode((files / f"FS.{stem}").read_bytes()))
    run(
        "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "answer.der", "-content", f"FO.{stem}",
        "-CAfile", site.folder / "site" / "keys" / "gateway.pem", "-purpose", "any", "-out", "/dev/null", cwd=files,
    )  # fmt: skip
    print("    ok: the signature of the answer is the gateway's")
    return (files / f"FO.{stem}").read_bytes()
