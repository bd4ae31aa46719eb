"""Three RabbitMQ nodes as one broker: each in a network of its own, where root allows that, so that wires can be cut.

Elsewhere they have three addresses of the loopback, and a node that is to be cut off is stopped instead.
"""

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.broker import Broker, Member, free_ports, need_rabbitmq

NODES = 3
_NETWORK = "198.18.{}"
"""Of the addresses that RFC 2544 keeps for tests."""

_PAUSED = "(fun Wait() -> case rabbit:is_running() of false -> paused; true -> timer:sleep(100), Wait() end end)()."
"""A node in a minority of one stops serving (``pause_minority``)."""
_REPLICAS = "{node(), nodes(), rabbit_node_monitor:partitions(), ets:tab2list(ra_state)}."
"""Whom a node sees, and what its part in each quorum queue is."""


class Network:
    """Three network namespaces on one bridge; the machine itself is on it too."""

    def __init__(self) -> None:
        """Make them; ``close`` takes them away."""
        self._mark = secrets.token_hex(3)
        self._prefix = _NETWORK.format(secrets.randbelow(250) + 1)
        self.addresses = tuple(f"{self._prefix}.{number + 11}" for number in range(NODES))
        self._bridge = f"gw{self._mark}"
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("address", "add", f"{self._prefix}.1/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        for number, address in enumerate(self.addresses):
            space, wire = self._space(number), self._wire(number)
            _ip("netns", "add", space)
            _ip("link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("link", "set", wire, "master", self._bridge, "up")
            _ip("-n", space, "address", "add", f"{address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", space, "link", "set", device, "up")

    def command(self, number: int) -> tuple[str, ...]:
        """What starts a program where that node is."""
        return ("ip", "netns", "exec", self._space(number))

    def cut(self, number: int) -> None:
        """Let nothing reach the node, nor anything of it reach others."""
        _ip("link", "set", self._wire(number), "down")

    def mend(self, number: int) -> None:
        """Undo ``cut``."""
        _ip("link", "set", self._wire(number), "up")

    def close(self) -> None:
        """Take everything away."""
        for number in range(NODES):
            _ip("netns", "delete", self._space(number))
        _ip("link", "delete", self._bridge)

    def _space(self, number: int) -> str:
        return f"gw{self._mark}-{number}"

    def _wire(self, number: int) -> str:
        return f"gw{self._mark}w{number}"


class Cluster:
    """The three nodes."""

    def __init__(self, folder: Path, network: Network | None) -> None:
        """Write their configurations; ``start`` starts them."""
        self._network = network
        addresses = network.addresses if network else tuple(f"127.0.0.{number + 2}" for number in range(NODES))
        port, epmd_port, *distribution_ports = free_ports(2 + NODES)
        settings = ["cluster_partition_handling = pause_minority"]
        settings.append("cluster_formation.peer_discovery_backend = classic_config")
        settings += [
            f"cluster_formation.classic_config.nodes.{number + 1} = node-{distribution_ports[number]}@{address}"
            for number, address in enumerate(addresses)
        ]
        secret = secrets.token_hex(16), secrets.token_hex(16)
        self.nodes = []
        for number, address in enumerate(addresses):
            command = network.command(number) if network else ("env",)
            epmd = address if network else ",".join(addresses)
            member = Member(address, port, epmd_port, distribution_ports[number], *secret, command, epmd)
            (folder / str(number)).mkdir()
            self.nodes.append(Broker(folder / str(number), settings=settings, member=member))

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses of all of them."""
        return tuple(node.url for node in self.nodes)

    def start(self) -> None:
        """Start those that don't run, the first one first: the others join it."""
        for node in self.nodes:
            node.start()

    def leader(self, queue: str) -> Broker:
        """The node that leads a quorum queue."""
        found = f'{{ok, Queue}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"{queue}">>))'
        name = self.nodes[0].evaluate(f"{found}, element(2, amqqueue:get_pid(Queue)).").strip("'")
        return next(node for node in self.nodes if node.name == name)

    def wait_until_it_can_do_without(self, node: Broker) -> None:
        """Return when every queue has a majority without ``node``, as ``await_online_quorum_plus_one`` does."""
        assert self._is_spare(node, 120), "\n".join(other.evaluate(_REPLICAS) for other in self.nodes if other.running)

    def cut(self, node: Broker) -> None:
        """Cut a node off from everybody."""
        if self._network is None:
            node.stop()
        else:
            self._network.cut(self.nodes.index(node))

    def mend(self, node: Broker) -> None:
        """Undo ``cut`` once the node has noticed that it is alone; restart it when that alone doesn't bring it back.

        That is an operator's part too: RabbitMQ 3.10 doesn't come together by itself after every cut.
        """
        if self._network is None:
            node.start()
            return
        node.evaluate(_PAUSED)
        self._network.mend(self.nodes.index(node))
        if not self._is_spare(self._another(node), 45):
            node.kill()
            node.start()

    def _another(self, node: Broker) -> Broker:
        return next(other for other in self.nodes if other is not node)

    def _is_spare(self, node: Broker, seconds: int) -> bool:
        asked = f"rabbit_upgrade_preparation:await_online_quorum_plus_one({seconds * 1000})."
        return "true" == node.evaluate(asked, seconds=seconds + 15)

    def close(self) -> None:
        """Stop the nodes, each at once: nobody needs what they have."""
        for node in self.nodes:
            node.kill()
            node.close()


def _ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True, capture_output=True)


@pytest.fixture
def broker_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of its own for each test, for what they do to one leaves marks."""
    need_rabbitmq()
    with ExitStack() as stack:
        network: Network | None = None
        if os.geteuid() == 0:
            try:
                network = Network()
            except (OSError, subprocess.CalledProcessError):
                network = None  # root without the right to make networks, as in most containers
            else:
                stack.callback(network.close)
        cluster = Cluster(tmp_path_factory.mktemp("cluster"), network)
        stack.callback(cluster.close)
        cluster.start()
        yield cluster
