"""A private RabbitMQ node that asks a gateway who may do what, with TLS, AMQP 1.0 and its management interface.

Its settings are those of docs/mq.md, but for addresses and ports.
"""

import secrets
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509

from tests.authority import Credential, write
from tests.broker import Broker, free_ports, need_rabbitmq
from tests.hierarchy import Member, certify

PLUGINS = (
    "rabbitmq_auth_backend_http",
    "rabbitmq_auth_mechanism_ssl",
    "rabbitmq_amqp1_0",
    "rabbitmq_management",
)


class GuardedBroker(Broker):
    """A node whose users are a gateway's, which answers at ``access_port`` when a test has it do so."""

    def __init__(self, folder: Path) -> None:
        """Make the authority and write the node's configuration."""
        self.tls_port, self.access_port, self.management_port = free_ports(3)
        self._authority: Member = certify("Authority of the broker")
        self.authority = write(folder, "authority", self._authority.key, self._authority.certificate).certificate
        server = self.certificate("localhost", folder, address="127.0.0.1")
        asked = f"http://127.0.0.1:{self.access_port}"
        settings = (
            f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}",
            f"ssl_options.cacertfile = {self.authority}",
            f"ssl_options.certfile = {server.certificate}",
            f"ssl_options.keyfile = {server.key}",
            "ssl_options.verify = verify_peer",
            "ssl_options.fail_if_no_peer_cert = false",
            "ssl_cert_login_from = common_name",
            "auth_mechanisms.1 = PLAIN",
            "auth_mechanisms.2 = EXTERNAL",
            "amqp1_0.default_user = none",
            "auth_backends.1 = internal",
            "auth_backends.2 = http",
            "auth_http.http_method = post",
            f"auth_http.user_path = {asked}/user",
            f"auth_http.vhost_path = {asked}/vhost",
            f"auth_http.resource_path = {asked}/resource",
            f"auth_http.topic_path = {asked}/topic",
            "management.tcp.ip = 127.0.0.1",
            f"management.tcp.port = {self.management_port}",
        )
        super().__init__(folder, plugins=PLUGINS, settings=settings)

    @property
    def management_url(self) -> str:
        """Its management interface, with the right password."""
        return f"http://gateway:{self._password}@127.0.0.1:{self.management_port}"

    def certificate(self, name: str, folder: Path | None = None, address: str | None = None) -> Credential:
        """A certificate for ``name`` from the node's authority; without ``address`` it is a client's."""
        names: list[x509.GeneralName] = [x509.DNSName(name)]
        if address is not None:
            names.append(x509.IPAddress(ip_address(address)))
        made = certify(
            name,
            self._authority,
            ca=False,
            usages=("digital_signature",),
            days=(-1, 30),
            extensions=((x509.SubjectAlternativeName(names), False),) if address is not None else (),
        )
        return write(folder or self.folder, f"{name}-{secrets.token_hex(4)}", made.key, made.certificate)


@pytest.fixture(scope="session")
def guarded_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedBroker]:
    """The session's guarded node; tests ask for ``guarded_broker``."""
    need_rabbitmq()
    node = GuardedBroker(tmp_path_factory.mktemp("guarded"))
    try:
        node.start()
        yield node
    finally:
        node.close()


@pytest.fixture
def guarded_broker(guarded_node: GuardedBroker) -> GuardedBroker:
    """The session's guarded node, running, whatever the test before did to it."""
    guarded_node.start()
    guarded_node.thaw()
    return guarded_node
