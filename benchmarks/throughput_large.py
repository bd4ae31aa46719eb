"""How fast is a large file judged, beside what one core needs to validate it?

    python -m benchmarks.throughput_large

sends one quarterly declaration of 50 MB with a real signature over SFTP to a gateway of its own, with the embedded
queue, and takes the time from its being in custody to its verdict: signature, schema, rules, persons and the file of
its declarations.  Then the verdict is recorded, with a row for each declaration and person; how long that took is told
too.  Beside it, in the same run, the schema alone on the same bytes in one process.  Exits with 1 if the gateway has
less than 0.6 of that speed.
"""

import asyncio
import json
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import asyncssh
import structlog

from benchmarks import validation
from benchmarks.throughput_sets import MadeSet, Signer
from benchmarks.throughput_site import SENDERS, Measured, make, serving
from schemas.judgement import Judgement
from tests.gateway_process import Site, today

MIN_SPEED = 0.6

_BYTES: Final = 50_000_000
_VERSION: Final = "20231"
_SECONDS: Final = 300.0


def make_large(sender: str, signer: Signer) -> MadeSet:
    """The set of ``sender``."""
    data = b"".join(validation.document(_BYTES))
    return MadeSet(f"DMFA.{sender}.{today()}.00001.R", data, signer.sign(data))


def schema_alone(data: bytes) -> float:
    """Seconds that the schema takes by itself; the best of three."""
    kind = validation.dmfa()
    best = _SECONDS
    for _ in range(3):
        start = time.perf_counter()
        judgement = Judgement(kind.versions[_VERSION], "UTF-8")
        for place in range(0, len(data), 65_536):
            judgement.feed(data[place : place + 65_536])
        if judgement.close() is not None:
            raise SystemExit("a valid document was refused")
        best = min(best, time.perf_counter() - start)
    return best


async def bring(site: Site, user: str, made: MadeSet) -> None:
    """Upload the set, with one connection."""
    options = asyncssh.SSHClientConnectionOptions(
        username=user,
        client_keys=[str(site.work / "id_ed25519")],
        known_hosts=None,
        config=None,
        encryption_algs=["aes128-gcm@openssh.com"],
    )
    async with (
        asyncssh.connect("127.0.0.1", site.port, options=options) as connection,
        connection.start_sftp_client() as sftp,
    ):
        for name, data in made.files:
            async with sftp.open(f"IN/{name}", "wb") as file:
                await file.write(data)


@dataclass(frozen=True, slots=True)
class Judged:
    """Seconds from custody to the verdict, and from there until it was recorded."""

    decided: float
    recorded: float


def judged(gateway: Measured, log: Path) -> Judged:
    """How long it took, when it is recorded."""
    query = (
        "SELECT at, verdict_at, state = 'accepted', findings FROM submissions JOIN events USING (ticket) "
        "WHERE events.name = 'custody.taken'"
    )
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        if recorded := _recorded(log):
            [(taken, verdict, is_accepted, findings)] = gateway.ask(query)
            if not is_accepted:
                raise SystemExit(f"it was not accepted: {findings}")
            return Judged((verdict - taken) / 1e6, recorded - verdict / 1e6)
        time.sleep(0.2)
    raise SystemExit("there is no verdict")


def _recorded(log: Path) -> float | None:
    """When the gateway said that it has judged, in seconds since the epoch."""
    lines = [line for line in log.read_text("utf-8").splitlines() if '"submission.judged"' in line]
    return datetime.fromisoformat(json.loads(lines[0])["timestamp"]).timestamp() if lines else None


def main() -> int:
    """Measure, print, and answer the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    structlog.configure(processors=[_drop])
    number, user = next(iter(SENDERS.items()))
    with tempfile.TemporaryDirectory() as name:
        site = make(Path(name), None)
        site.configure("max_file_bytes = 36700160", "max_file_bytes = 100000000")
        made = make_large(number, Signer.read(site.signer.key, site.signer.certificate))
        alone = schema_alone(made.data)
        with serving(site) as gateway:
            start = time.perf_counter()
            asyncio.run(bring(site, user, made))
            brought = time.perf_counter() - start
            took = judged(gateway, site.folder / "log")
    size = len(made.data) / 1e6
    share = alone / took.decided
    mark = "ok  " if share >= MIN_SPEED else "MISS"
    sys.stdout.write(
        f"{mark} {size:.0f} MB: brought in {brought:.2f} s; judged in {took.decided:.2f} s, "
        f"{size / took.decided:.1f} MB/s; the schema alone {size / alone:.1f} MB/s on one core: {share:.2f} of it "
        f"(limit {MIN_SPEED}); recorded {took.recorded:.2f} s later\n"
    )
    return 0 if share >= MIN_SPEED else 1


def _drop(*_line: object) -> dict[str, object]:
    raise structlog.DropEvent


if __name__ == "__main__":
    sys.exit(main())
