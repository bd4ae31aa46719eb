"""What ``scripts/demo`` shows: a site is made, files are sent with OpenSSH's sftp, every answer is checked.

Each step prints the command line it runs, so that it can be tried by hand.  The exit status is 0 only if all of them
went as this file says.
"""

import argparse
import base64
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from lxml import etree
from signxml import methods
from signxml.signer import XMLSigner

import schemas
from tests.authority import Credential, Pki

SENDER = "123456"
SAMPLE = Path(schemas.__file__).with_name("dimona") / "samples" / "valid_three_forms.xml"
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
    good, revoked = pki.issue("Payroll of the demo"), pki.issue("Lost key of the demo")
    pki.revoke(revoked)
    crls = [word for path in pki.crls for word in ("--crl", str(path))]
    run(*GATEWAY, "authority", "add", "demo", "--certificate", pki.issuing, "--chain", pki.root, *crls, cwd=site)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "id_ed25519", cwd=folder)
    run(
        *GATEWAY, "sender", "add", SENDER, "--user", "payroll01", "--ssh-key", folder / "id_ed25519.pub",
        "--certificate", good.certificate, "--certificate", revoked.certificate, cwd=site,
    )  # fmt: skip
    run(*GATEWAY, "check-config", cwd=site)
    process, port = start(site, folder / "gateway.log")
    host_key = (site / "keys" / "ssh_host_ed25519_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    return Site(folder, pki, good, revoked, process, port)


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


Signature = Callable[[Site, str, Credential], bytes]


def submit(
    site: Site,
    name: str,
    data: bytes,
    *,
    sign: Signature = cms,
    signer: Credential | None = None,
    sent: bytes | None = None,
) -> str:
    """Sign ``data``, upload ``sent`` (or the data itself) as the set ``name``, wait for the answer; its FO's name."""
    files = site.folder / "files"
    fi, fs, go = f"FI.{name}.1.1", f"FS.{name}.1.1", f"GO.{name}.1"
    (files / fi).write_bytes(data)
    (files / fs).write_bytes(sign(site, fi, signer or site.good))
    (files / fi).write_bytes(data if sent is None else sent)
    (files / go).touch()
    before = set(site.sftp("ls -1 OUT", show=False).split())
    site.sftp("cd IN", f"put {fi}", f"put {fs}", f"put {go}")
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for word in set(site.sftp("ls -1 OUT", show=False).split()) - before:
            if word.startswith("OUT/GO."):
                return word.removeprefix("OUT/GO.")
        time.sleep(0.2)
    raise DemoFailedError(f"no answer to {name} within {PATIENCE:.0f} seconds")


def fetch(site: Site, stem: str) -> tuple[str, list[str]]:
    """Download the answer ``stem``, verify its signature, and answer its ticket and codes."""
    files = site.folder / "files"
    site.sftp("cd OUT", *(f"get {prefix}.{stem}" for prefix in ("FO", "FS", "GO")))
    (files / "answer.der").write_bytes(base64.b64decode((files / f"FS.{stem}").read_bytes()))
    run(
        "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "answer.der", "-content", f"FO.{stem}",
        "-CAfile", site.folder / "site" / "keys" / "gateway.pem", "-purpose", "any", "-out", "/dev/null", cwd=files,
    )  # fmt: skip
    print("    ok: the signature of the acknowledgement is the gateway's")
    root = etree.fromstring((files / f"FO.{stem}").read_bytes())
    ticket = root.findtext("Form/FileReference/ReferenceNbr") or ""
    print(f"    acknowledgement: FO.{stem}, ticket {ticket}")
    return ticket, [code.text or "" for code in root.findall("Form/ReceptionResult/ErrorID")]


def accepted(site: Site, stem: str) -> None:
    """Check a positive answer, the three messages and the timeline."""
    ticket, codes = fetch(site, stem)
    expect("codes of the acknowledgement", [], codes)
    place = site.folder / "site"
    messages: list[dict[str, object]] = []
    until = time.monotonic() + PATIENCE
    while len(messages) < 3 and time.monotonic() < until:
        messages = json.loads(run(*GATEWAY, "queue", "list", "--ticket", ticket, "--json", cwd=place, show=False))
    print(run(*GATEWAY, "queue", "list", "--ticket", ticket, cwd=place))
    expect("declarations on the routing queue", [1, 2, 3], [message["form"] for message in messages])
    print(run(*GATEWAY, "show", ticket, cwd=place))


def rejected(site: Site, stem: str, code: str) -> None:
    """Check a negative answer, and that nothing went to the routing queue."""
    ticket, codes = fetch(site, stem)
    expect("codes of the acknowledgement", [code], codes)
    place = site.folder / "site"
    queued = json.loads(run(*GATEWAY, "queue", "list", "--ticket", ticket, "--json", cwd=place, show=False))
    expect("declarations on the routing queue", 0, len(queued))


def demonstrate(site: Site) -> None:
    """Every scenario, one after the other."""
    sample = SAMPLE.read_bytes()
    day = datetime.now(ZoneInfo("Europe/Brussels")).strftime("%Y%m%d")
    name = f"DIMN.{SENDER}.{day}."
    print("\n2. Three declarations, signed by openssl cms")
    accepted(site, submit(site, f"{name}00001.R", sample))
    print("\n3. Three declarations, with an XML signature")
    accepted(site, submit(site, f"{name}00002.R", sample, sign=xml_signature))
    print("\n4. A file changed after it was signed: ACRF-125")
    changed = sample.replace(b"<StartingDate>", b"<StartingDate> ", 1)
    rejected(site, submit(site, f"{name}00003.R", sample, sent=changed), "ACRF-125")
    print("\n5. Signed with a revoked certificate: ACRF-125")
    rejected(site, submit(site, f"{name}00004.R", sample, signer=site.revoked), "ACRF-125")
    print("\n6. Broken XML: ACRF-102")
    rejected(site, submit(site, f"{name}00005.R", sample[: len(sample) // 2]), "ACRF-102")
    print("\n7. A sequence of four characters in the name: ACRF-112")
    rejected(site, submit(site, f"{name}0006.R", sample), "ACRF-112")
    print("\nEverything the gateway was sent:")
    print(run(*GATEWAY, "submissions", cwd=site.folder / "site"))


def explain(site: Site) -> None:
    """How to go on by hand."""
    command = shlex.join([*sftp_command(site.folder, site.port), "payroll01@127.0.0.1"])
    print(f"\nThe gateway goes on, as process {site.process.pid}; `kill {site.process.pid}` ends it.  Try:")
    print(f"  cd {site.folder / 'files'}\n  {command}")
    print(f"  export GATEWAY_CONFIG={site.folder / 'site' / 'gateway.toml'}")
    for line in ("submissions", "show TICKET", "queue list", "queue take", "sender list", "authority list"):
        print(f"  {Path(sys.executable).with_name('gateway')} {line}")
    print(f"  tail -f {site.folder / 'gateway.log'}")


def main() -> int:
    """Run the demonstration; answers the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description="The main job of the gateway, end to end.")
    parser.add_argument("--keep", action="store_true", help="leave the gateway running and say how to go on by hand")
    keep = parser.parse_args().keep
    folder = Path(tempfile.mkdtemp(prefix="batch-gateway-demo-"))
    os.environ.pop("GATEWAY_CONFIG", None)
    site: Site | None = None
    try:
        site = make_site(folder)
        demonstrate(site)
    except DemoFailedError as fault:
        print(f"\nFAILED: {fault}", file=sys.stderr)
        return 1
    finally:
        if site is not None and not keep:
            site.process.send_signal(signal.SIGTERM)
            site.process.wait(30)
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    if keep:
        explain(site)
    print("\nAll of it happened.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
