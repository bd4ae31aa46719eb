"""Which keys, signatures and ciphers are good enough for the door?

The lists leave out everything with SHA-1, CBC, NIST key exchange or less than 128 bits (RFC 9142, and what ssh-audit
calls a failure).  A client's own order decides which cipher is taken (RFC 4253, 7.1).  asyncssh only announces
signature algorithms and never checks the size of a key: both are checked here.
"""

import binascii
import copy
from base64 import b64decode
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

import asyncssh
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from channels.ports import SSH_RSA
from config.errors import ConfigurationError

KEY_EXCHANGES: Final = (
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
)
CIPHERS: Final = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
    "chacha20-poly1305@openssh.com",
)
MACS: Final = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
SIGNATURES: Final = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
RSA_BITS: Final = 2048
ADVISED_RSA_BITS: Final = 3072

_RSA: Final = "ssh-rsa"
_RSA_SIGNATURES: Final = (b"rsa-sha2-512", b"rsa-sha2-256")
_SIGNATURES: Final = frozenset(name.encode() for name in SIGNATURES)


def weakness(key: asyncssh.SSHKey) -> str:
    """Why ``key`` is not good enough, or an empty string."""
    algorithm = key.get_algorithm()
    if algorithm == _RSA:
        return _rsa_weakness(key)
    return "" if algorithm in SIGNATURES else "keys of this type are not accepted"


def _rsa_weakness(key: asyncssh.SSHKey) -> str:
    # asyncssh's class for the bare key differs between private and public ones; the public numbers are in both.
    public = key.convert_to_public().pyca_key
    if isinstance(public, RSAPublicKey) and public.key_size >= RSA_BITS:
        return ""
    return f"an RSA key must have at least {RSA_BITS} bits"


def read_public_key(line: str) -> asyncssh.SSHKey:
    """The key in one OpenSSH line (``ssh-ed25519 AAAA… comment``).

    Raises:
        ValueError: it is no such line, or the key is not good enough; the text says why.
    """
    try:
        key = asyncssh.import_public_key(line)
    except asyncssh.KeyImportError:
        raise ValueError("not a public key in OpenSSH format") from None
    words = weakness(key)
    if words:
        raise ValueError(words)
    return key


def advice(key: asyncssh.SSHKey) -> str:
    """What to tell somebody who registers ``key``, or an empty string."""
    public = key.convert_to_public().pyca_key
    if isinstance(public, RSAPublicKey) and public.key_size < ADVISED_RSA_BITS:
        return f"an RSA key should have {ADVISED_RSA_BITS} bits or more; ed25519 is better still"
    return ""


def is_registered(key: asyncssh.SSHKey, lines: Iterable[str]) -> bool:
    """Whether ``key`` is one of the OpenSSH ``lines``; a line that cannot be read is no key."""
    return any(key_blob(line) == key.public_data for line in lines)


def key_blob(line: str) -> bytes | None:
    """The key in an OpenSSH ``line`` as it goes over the wire, or None."""
    words = line.split()
    if len(words) < 2:
        return None
    try:
        return b64decode(words[1], validate=True)
    except binascii.Error:
        return None


def is_strong_signature(signature: bytes, leniencies: Collection[str] = ()) -> bool:
    """Whether a signature (RFC 4253, 6.6: its algorithm comes first) is of an algorithm we accept.

    With the leniency ``ssh-rsa`` that is one too: RSA with SHA-1, all that some old clients know (RFC 8332, 1).
    """
    length = int.from_bytes(signature[:4], "big")
    algorithm = signature[4 : 4 + length]
    return algorithm in _SIGNATURES or (SSH_RSA in leniencies and algorithm == _RSA.encode())


def load_host_keys(paths: Iterable[Path]) -> list[asyncssh.SSHKeyPair]:
    """The keys the door proves itself with.

    An RSA key comes out once for each signature algorithm: asyncssh notes the algorithm a connection has chosen on
    the pair itself, so a shared pair would let two connections mix theirs up, and would offer SHA-1 too.

    Raises:
        ConfigurationError: a key cannot be read, is weak or has the type of another; every fault is told.
    """
    pairs: dict[bytes, asyncssh.SSHKeyPair] = {}
    faults = []
    for path in paths:
        try:
            found = _pairs(path)
        except (OSError, ValueError) as error:
            faults.append(f"host key {path}: {_words(error)}")
            continue
        if pairs.keys() & found.keys():
            faults.append(f"host key {path}: there is another one of this type")
        pairs |= found
    if not pairs and not faults:
        faults.append("the SFTP door has no host key")
    if faults:
        raise ConfigurationError(faults)
    return list(pairs.values())


def _pairs(path: Path) -> dict[bytes, asyncssh.SSHKeyPair]:
    key = asyncssh.read_private_key(path)
    words = weakness(key)
    if words:
        raise ValueError(words)
    [pair] = asyncssh.load_keypairs([key])
    names = _RSA_SIGNATURES if key.get_algorithm() == _RSA else (key.get_algorithm().encode(),)
    return {name: _restricted(pair, name) for name in names}


def _restricted(pair: asyncssh.SSHKeyPair, algorithm: bytes) -> asyncssh.SSHKeyPair:
    restricted = copy.copy(pair)
    restricted.set_sig_algorithm(algorithm)
    restricted.host_key_algorithms = (algorithm,)
    return restricted


def _words(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or "cannot be read"
    return str(error)
