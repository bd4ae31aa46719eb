"""Senders who bring sets over SFTP, each over a connection of its own; what they saw is written as JSON.

    python -m benchmarks.throughput_senders JOB

Part of :mod:`benchmarks.throughput`: the load is made in a process of its own, so that its processor time can be told
apart. JOB is a JSON file with the fields of :class:`Job`. All sets are made, and everybody is logged in, before the
first file goes.
"""

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncssh
import uvloop

from benchmarks.throughput_sets import MadeSet, Signer, make


@dataclass(frozen=True, slots=True)
class Job:
    """Who sends what, and how fast.

    ``senders`` are numbers of senders, each with a user; ``count`` sets in all, with serials from ``first`` on for each
    sender; ``rate`` is sets a second in all, 0 as fast as the OK to the last GO allows.
    """

    port: int
    key: str
    signer_key: str
    signer_certificate: str
    senders: dict[str, str]
    count: int
    first: int
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Seen:
    """When it began, and when the OK to each GO came, by the name of the GO (microseconds); CPU seconds it took."""

    began: int
    accepted: dict[str, int]
    cpu: float


def _now() -> int:
    return time.time_ns() // 1000


async def _send(sftp: asyncssh.SFTPClient, made: MadeSet) -> None:
    for name, data in made.files:
        async with sftp.open(f"IN/{name}", "wb") as file:
            if data:
                await file.write(data)


async def _connect(stack: AsyncExitStack, job: Job, user: str) -> asyncssh.SFTPClient:
    connection = await stack.enter_async_context(
        asyncssh.connect(
            "127.0.0.1",
            job.port,
            username=user,
            client_keys=[job.key],
            known_hosts=None,
            config=None,
            encryption_algs=["aes128-gcm@openssh.com"],
        )
    )
    return await stack.enter_async_context(connection.start_sftp_client())


async def send_all(job: Job) -> Seen:
    """Send every set; answers what was seen."""
    signer = Signer.read(Path(job.signer_key), Path(job.signer_certificate))
    among = len(job.senders)
    shares = [
        [(place, make(sender, job.first + place // among, signer)) for place in range(offset, job.count, among)]
        for offset, sender in enumerate(job.senders)
    ]
    accepted: dict[str, int] = {}
    async with AsyncExitStack() as stack:
        clients = [await _connect(stack, job, user) for user in job.senders.values()]
        cpu, began, start = time.process_time(), _now(), time.monotonic()

        async def bring(sftp: asyncssh.SFTPClient, share: list[tuple[int, MadeSet]]) -> None:
            for place, made in share:
                if job.rate:
                    await asyncio.sleep(start + place / job.rate - time.monotonic())
                await _send(sftp, made)
                accepted[made.files[-1][0]] = _now()

        async with asyncio.TaskGroup() as group:
            for sftp, share in zip(clients, shares, strict=True):
                group.create_task(bring(sftp, share))
        spent = time.process_time() - cpu
    return Seen(began, accepted, spent)


def main(file: str) -> None:
    """Send, and write what was seen into a file beside."""
    job = Job(**json.loads(Path(file).read_text("utf-8")))
    seen_at(Path(file)).write_text(json.dumps(asdict(uvloop.run(send_all(job)))))


def seen_at(job: Path) -> Path:
    """Where what was seen stands, by the file of the job."""
    return job.with_suffix(".seen")


if __name__ == "__main__":
    main(sys.argv[1])
