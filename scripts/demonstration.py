"""What ``scripts/demo`` shows: a site is made, files are sent with OpenSSH's sftp, every answer is checked.

Each step prints the command line it runs, so that it can be tried by hand.  The exit status is 0 only if all of them
went as this file says.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from lxml import etree

import schemas
from scripts.demo_site import (
    GATEWAY,
    PATIENCE,
    SENDER,
    DemoFailedError,
    Signature,
    Site,
    answers,
    cms,
    download,
    expect,
    make_site,
    new_answer,
    run,
    sftp_command,
    upload,
    wait_for,
    xml_signature,
)
from tests.authority import Credential

SAMPLE = Path(schemas.__file__).with_name("dimona") / "samples" / "valid_three_forms.xml"


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
    before = answers(site)
    upload(site, name, data, sign=sign, signer=signer, sent=sent)
    return new_answer(site, before)


def fetch(site: Site, stem: str) -> tuple[str, list[str]]:
    """Download the acknowledgement ``stem``, verify its signature, and answer its ticket and codes."""
    root = etree.fromstring(download(site, stem))
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


def explained(site: Site, before: set[str], error: str) -> None:
    """Check that a notification beside the acknowledgement says where the mistake is."""
    root = etree.fromstring(download(site, new_answer(site, before, "NOTI")))
    found = [element.text for element in root.iter("ErrorID")]
    expect("errors in the notification", [error], found)


def held(site: Site, name: str, data: bytes) -> None:
    """Without its authority's revocation list a submission waits; with a fresh one it is decided."""
    place, before = site.folder / "site", answers(site)
    for path in (place / "authorities" / "demo" / "crls").iterdir():
        path.unlink()
    upload(site, name, data)

    def waiting() -> str | None:
        found = json.loads(run(*GATEWAY, "submissions", "--state", "held", "--json", cwd=place, show=False))
        return found[0]["ticket"] if found else None

    ticket = wait_for("nothing is held", waiting)
    print(run(*GATEWAY, "show", ticket, cwd=place))
    run(*GATEWAY, "authority", "revocation", "demo", *site.pki.crls, cwd=place)
    accepted(site, new_answer(site, before))


def demonstrate(site: Site) -> None:
    """Every scenario, one after the other."""
    today = datetime.now(ZoneInfo("Europe/Brussels")).date()
    # The sample's own dates grow old, and a form made before last year is warned of.
    made = f"<FormCreationDate>{today}<".encode()
    sample = re.sub(rb"<FormCreationDate>[0-9-]+<", made, SAMPLE.read_bytes())
    name = f"DIMN.{SENDER}.{today:%Y%m%d}."
    print("\n2. Three declarations, signed by openssl cms")
    accepted(site, submit(site, f"{name}00001.R", sample))
    print("\n3. Three declarations, with an XML signature")
    accepted(site, submit(site, f"{name}00002.R", sample, sign=xml_signature))
    print("\n4. A file changed after it was signed: ACRF-125")
    changed = sample.replace(b"<StartingDate>", b"<StartingDate> ", 1)
    rejected(site, submit(site, f"{name}00003.R", sample, sent=changed), "ACRF-125")
    print("\n5. Signed with a revoked certificate: ACRF-125")
    rejected(site, submit(site, f"{name}00004.R", sample, signer=site.revoked), "ACRF-125")
    print("\n6. Signed with a good certificate that is another's: ACRF-153")
    rejected(site, submit(site, f"{name}00005.R", sample, signer=site.other), "ACRF-153")
    print("\n7. No revocation list: held, and decided when there is one")
    held(site, f"{name}00006.R", sample)
    print("\n8. Broken XML: ACRF-102, and a notification of the place")
    before = answers(site, "NOTI")
    rejected(site, submit(site, f"{name}00007.R", sample[: len(sample) // 2]), "ACRF-102")
    explained(site, before, "00000-102")
    print("\n9. A sequence of four characters in the name: ACRF-112")
    rejected(site, submit(site, f"{name}0008.R", sample), "ACRF-112")
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
