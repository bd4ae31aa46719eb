"""What does the door offer to whoever connects, and what not?

Everything that asyncssh lets be set is set here: what a connection may use, and that there is nothing but files.
"""

import socket
from collections.abc import Callable
from typing import Any, Final

import asyncssh

from channels.sftp.algorithms import CIPHERS, KEY_EXCHANGES, MACS, SIGNATURES
from channels.sftp.settings import DoorSettings
from config.errors import TemporaryError

_KEEPALIVES: Final = 3
_BACKLOG: Final = 4096
# Of what a client sends: four times the usual, for less work a byte.  Packets twice as long are taken before log-in.
_PACKET: Final = 128 * 1024


class DoorUnavailable(TemporaryError):  # noqa: N818 - says what is missing, as the others do
    """The address cannot be listened on."""


async def listen(
    settings: DoorSettings,
    factory: Callable[[], asyncssh.SSHServer],
    host_keys: list[asyncssh.SSHKeyPair],
    listener: socket.socket | None,
) -> asyncssh.SSHAcceptor:
    """Take connections from now on.

    Args:
        settings, host_keys: how.
        factory: answers who takes a connection.
        listener: a socket that listens already; without one host and port of ``settings`` count.

    Raises:
        DoorUnavailable: the address cannot be listened on.
    """
    own = {"host": settings.host, "port": settings.port, "reuse_port": settings.reuse_port or None}
    where: dict[str, Any] = own if listener is None else {"sock": listener}
    try:
        return await asyncssh.listen(
            **where,
            # With the usual 100 a flood would fill the kernel's queue, and everybody else would wait for seconds.
            backlog=_BACKLOG,
            config=None,
            server_factory=factory,
            server_host_keys=host_keys,
            server_version=settings.version,
            kex_algs=KEY_EXCHANGES,
            encryption_algs=CIPHERS,
            mac_algs=MACS,
            signature_algs=SIGNATURES,
            compression_algs=("none",),
            max_pktsize=_PACKET,
            x509_trusted_certs=None,
            public_key_auth=True,
            password_auth=True,
            kbdint_auth=False,
            host_based_auth=False,
            gss_host=None,
            login_timeout=0,  # ends without a word; ``guest`` has its own
            keepalive_interval=settings.keepalive_interval,
            keepalive_count_max=_KEEPALIVES,
            allow_pty=False,
            allow_scp=False,
            agent_forwarding=False,
            x11_forwarding=False,
            line_editor=False,
        )
    except OSError as error:
        raise DoorUnavailable(f"cannot listen on {settings.host} port {settings.port}: {error.strerror}") from error
