"""Is a bundle all that an installation needs, and is one that was changed refused?

The bundle is a real one, which ``scripts/bundle`` made of this checkout.  Its list of contents and its lock are held
against the wheels that are in it; what an installer does with one that was changed stands in `refused_changed`.  It is
installed where there is no network, by pip without an index.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename

from scripts.demo_site import expect

Run = Callable[[Path, int], str]
"""Runs the installer of a bundle without a network, and expects an exit status of it; answers what it wrote."""


def wheels(bundle: Path) -> Mapping[str, tuple[str, str]]:
    """Version and SHA-256 of every wheel, by name."""
    found = {}
    for wheel in sorted((bundle / "wheels").iterdir()):
        name, version, _, _ = parse_wheel_filename(wheel.name)
        found[str(name)] = (str(version), hashlib.sha256(wheel.read_bytes()).hexdigest())
    return found


def looked_through(bundle: Path) -> None:
    """The list of contents names what the wheels are, and the lock has the hash of each; every file is in the sums."""
    there = wheels(bundle)
    versions = {name: version for name, (version, _) in there.items()}
    contents = json.loads((bundle / "sbom.cdx.json").read_text())
    own = contents["metadata"]["component"]
    parts = {str(canonicalize_name(part["name"])): part["version"] for part in contents["components"]}
    expect("format of the list of contents", "CycloneDX", contents["bomFormat"])
    expect("wheels and list of contents differ in", [], _differing(versions, {**parts, own["name"]: own["version"]}))
    locked = re.findall(
        r"^(\S+)==(\S+) --hash=sha256:([0-9a-f]{64})$", (bundle / "requirements.lock").read_text(), re.MULTILINE
    )
    expect("wheels and lock differ in", [], _differing(there, {one[0]: (one[1], one[2]) for one in locked}))
    summed = re.findall(r"^[0-9a-f]{64}  \./(.+)$", (bundle / "SHA256SUMS").read_text(), re.MULTILINE)
    files = {str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file()}
    expect("files and sums differ in", ["SHA256SUMS"], sorted(files ^ set(summed)))
    print(f"    {len(there)} wheels")


def _differing(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def refused_changed(bundle: Path, folder: Path, run: Run, releases: Path) -> None:
    """One byte of a wheel differs: refused by the sums; and where these were made to fit, by the hash in the lock."""
    changed = folder / "changed-bundle"
    shutil.copytree(bundle, changed, copy_function=os.link)
    wheel = next(path for path in sorted((changed / "wheels").iterdir()) if not path.name.startswith("batch_gateway"))
    data = bytearray(wheel.read_bytes())
    data[len(data) // 2] ^= 1
    wheel.unlink()
    wheel.write_bytes(data)
    said = run(changed, 1)
    expect("it says why", True, "the bundle is not as it was made; nothing was done" in said and wheel.name in said)
    expect("releases", [], list(releases.glob("*/RELEASE")))
    sums = changed / "SHA256SUMS"
    text = re.sub(rf"^[0-9a-f]{{64}}(?=  \./wheels/{re.escape(wheel.name)}$)", hashlib.sha256(data).hexdigest(),
                  sums.read_text(), flags=re.MULTILINE)  # fmt: skip
    sums.unlink()
    sums.write_text(text)
    expect("it says why", True, "DO NOT MATCH THE HASHES" in run(changed, 1))
    expect("releases", [], list(releases.glob("*/RELEASE")))
