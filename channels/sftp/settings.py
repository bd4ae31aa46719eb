"""What may be set about the SFTP door."""

from dataclasses import dataclass, field
from pathlib import Path

from channels.sftp.admission import AdmissionLimits
from channels.sftp.share import ShareLimits


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """One listening door.

    ``port`` 0 takes a free one.  With ``reuse_port`` other processes that ask for the same may listen there too, and
    the kernel deals the connections out among them (SO_REUSEPORT, socket(7)).  ``host_keys`` are private keys without
    passphrase.

    Times are in seconds: ``login_timeout`` from connection to log-in, ``idle_timeout`` without any request,
    ``keepalive_interval`` between the questions whether the client is still there.  When the door closes, who is at
    work may go on for ``finish_timeout``, new files included; then files that are open may end for ``drain_timeout``.
    ``admission`` limits connections; ``max_tries`` counts every refused authentication request of a connection, the
    first question of most clients ("none") included; ``max_sessions`` and ``max_handles`` are for one connection.
    ``share`` is what one sender may have over all its connections.
    ``version`` is what the door calls itself; it may have no space and no hyphen (RFC 4253, 4.2).
    ``recheck_interval`` is how often it is asked whether who is in may stay.  With ``password_alone`` a password is
    asked for without a key before it; only then can users log in by a password alone.
    """

    host: str
    port: int
    host_keys: tuple[Path, ...]
    login_timeout: float = 30.0
    max_tries: int = 8
    max_handles: int = 32
    max_sessions: int = 4
    idle_timeout: float = 900.0
    keepalive_interval: float = 30.0
    finish_timeout: float = 20.0
    drain_timeout: float = 10.0
    version: str = "BatchGateway"
    admission: AdmissionLimits = field(default_factory=AdmissionLimits)
    share: ShareLimits = field(default_factory=ShareLimits)
    recheck_interval: float = 0.5
    password_alone: bool = True
    reuse_port: bool = False
