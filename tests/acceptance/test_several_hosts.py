"""Several hosts, one spool and one database: what a host leaves that is gone, or stands still, others do, and once."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from spool.processes import alive
from tests.authority import Credential, Pki
from tests.command_line import done, move_to_postgresql
from tests.gateway_process import SENDER, GatewayProcess, Site, make_test_site, today
from tests.hosts import Host, end, is_possible
from tests.postgres import Cluster

LEASE = 3


@pytest.fixture
def shared(tmp_path: Path, pki: Pki, signer: Credential, cluster: Cluster) -> Site:
    """A site whose journal is on PostgreSQL, with short leases."""
    site = make_test_site(tmp_path, pki, signer)
    move_to_postgresql(site, cluster.empty_database())
    site.configure("lease_seconds = 30.0", f"lease_seconds = {LEASE}.0")
    return site


@pytest.fixture
def host() -> Iterator[Callable[[str], Host]]:
    """Make a host of this name, which is gone after the test."""
    if not is_possible():
        pytest.skip("the kernel lets nobody here make namespaces")
    with ExitStack() as stack:

        def make(name: str) -> Host:
            made = Host(name)
            stack.callback(made.vanish)
            return made

        yield make


def start(host: Host, site: Site, *program: str, roles: tuple[str, ...] = ()) -> GatewayProcess:
    """A gateway on it."""
    return GatewayProcess(site, *program, roles=roles, around=host.around).ready()


def send(site: Site, *sequences: int) -> None:
    """Upload a good set for each number."""
    names = [name for one in sequences for name in site.write_set(f"DIMN.{SENDER}.{today()}.{one:05}.R")]
    sent = site.sftp("cd IN", *(f"put {name}" for name in names))
    assert 0 == sent.returncode, sent.stderr


def tickets(gateway: GatewayProcess, event: str, count: int) -> set[str]:
    """Whose event it has been since its start, once that are so many; the first may come before it is ready."""
    found = {line["ticket"] for line in gateway.seen if line["event"] == event}
    while len(found) < count:
        found.add(gateway.wait_for(event)["ticket"])
    return found


def fetch_all(site: Site) -> list[str]:
    """The names in OUT, each of which is fetched and deleted."""
    listed = site.sftp("ls -1 OUT")
    assert 0 == listed.returncode, listed.stderr
    names = [line.strip().removeprefix("OUT/") for line in listed.stdout.splitlines() if "." in line]
    done = site.sftp(*(line for name in names for line in (f"get OUT/{name}", f"rm OUT/{name}")))
    assert 0 == done.returncode, done.stderr
    return names


def test_what_a_host_leaves_that_is_gone_another_does(shared: Site, host: Callable[[str], Host]) -> None:
    """At once, though its lease is long: its locks are gone with it; that process numbers repeat misleads nobody."""
    shared.configure(f"lease_seconds = {LEASE}.0", "lease_seconds = 3600.0")
    first, second = host("first"), host("second")
    lost = start(first, shared, "tests.faults.halting", "acknowledgement signed")
    send(shared, 1)
    half = shared.write_set(f"DIMN.{SENDER}.{today()}.00002.R")
    shared.sftp("cd IN", *(f"put {name}" for name in half[:2]))
    lost.wait_for("fault.halted")
    left = start(second, shared)
    known = {process.host: process.pid for process in alive(shared.settings.spool.path)}
    first.vanish()
    shared.sftp("cd IN", f"put {half[2]}")
    placed = tickets(left, "answer.placed", 2)
    remaining = [process.host for process in alive(shared.settings.spool.path)]
    end(left)
    end(lost)

    assert {"first", "second"} == known.keys()
    assert 1 == len(set(known.values()))
    assert (2, ["second"]) == (len(placed), remaining)


@pytest.mark.parametrize(
    "step",
    ["effects planned, verdict not committed", "FO placed"],
)
def test_what_a_host_left_that_stands_still_it_does_not_do_twice(
    shared: Site, host: Callable[[str], Host], step: str, tmp_path: Path
) -> None:
    """Its locks, its transaction and its turns stay; others do its work within its lease, and it sees that later."""
    file = tmp_path / "go on"
    first, second = host("first"), host("second")
    frozen = start(first, shared, "tests.pausing", str(file), step)
    port = shared.port
    send(shared, 1)
    frozen.wait_for("fault.halted")
    first.freeze()
    other = start(second, shared)
    send(shared, 2)
    closed = tickets(other, "submission.closed", 2)
    fetched = fetch_all(shared)
    file.touch()
    first.thaw()
    end(other)
    shared.port = port
    send(shared, 3)
    closed.add(frozen.wait_for("submission.closed", lambda line: line["ticket"] not in closed)["ticket"])
    again = fetch_all(shared)
    messages = Counter(message["message_id"] for message in shared.listing("queue", "take", "--count", "20"))
    fits = done(shared, "reconcile", "--hash")
    end(frozen)

    assert (3, 6, 3) == (len(closed), len(fetched), len(again))
    assert not set(fetched) & set(again)
    assert (9, 9) == (len(messages), messages.total())
    assert "Everything fits." in fits
