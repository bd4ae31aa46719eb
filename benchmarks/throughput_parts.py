"""What do the parts of a submission cost, of several rounds of measuring them?

Part of :mod:`benchmarks.throughput`. A round is every part by itself (:mod:`benchmarks.throughput_floor`), with the
broker and the authority of the run.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from cryptography import x509

from benchmarks import throughput_floor as floor
from benchmarks.throughput_floor import Given, Part
from benchmarks.throughput_sets import Signer
from benchmarks.throughput_sets import make as make_set
from benchmarks.throughput_site import bare_server, cpu_of
from tests.gateway_process import Site

BROKER: Final = "beam.smp"
"""What the broker's process is called."""


def measure(site: Site, folder: Path, broker: str, count: int) -> list[Part]:
    """Every part by itself with so many sets: one round, in a ``folder`` of its own."""
    folder.mkdir()
    signer = Signer.read(site.signer.key, site.signer.certificate)
    issuer = x509.load_pem_x509_certificate(site.pki.issuing.read_bytes())
    own = site.settings.signing
    sets = [make_set("200000", serial, signer) for serial in range(1, count + 2)]
    given = Given(sets, issuer, Path(str(own.key)), Path(str(own.certificate)))
    return [
        _transfer(site, folder, count),
        *floor.in_process(given, folder / "disk"),
        asyncio.run(floor.publish(broker, count, partial(cpu_of, BROKER))),
    ]


def _transfer(site: Site, folder: Path, count: int) -> Part:
    with bare_server(site, folder) as server:
        before = server.spent
        seen = server.send(count)
        wall = (max(seen.accepted.values()) - seen.began) / 1e6
        return Part("transfer", wall / count, (server.spent - before) / count, seen.cpu / count)


def median_of(rounds: Sequence[Sequence[Part]]) -> list[Part]:
    """Each part as the median of the rounds has it: one round that others disturbed says nothing."""
    return [
        Part(
            each[0].name,
            median(part.wall for part in each),
            median(part.cpu for part in each),
            median(part.others for part in each),
        )
        for each in zip(*rounds, strict=True)
    ]


def told(part: Part, each: Sequence[Part]) -> str:
    """One line of a report: a part, and what of its CPU each round has said."""
    beside = f", others {part.others * 1e3:.2f} ms" if part.others else ""
    least, most = (extreme(one.cpu for one in each) * 1e3 for extreme in (min, max))
    return (
        f"part {part.name}: {part.wall * 1e3:.2f} ms, CPU {part.cpu * 1e3:.2f} ms{beside} "
        f"({len(each)} rounds: CPU {least:.2f} to {most:.2f})"
    )
