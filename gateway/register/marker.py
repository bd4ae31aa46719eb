"""How are very many INSSs turned into their marks?

As :func:`gateway.register.inss.mark` does, with what depends on the key alone worked out once (RFC 2104, 4): a file of
a quarter may name a hundred thousand persons, and looking the hash up for each took longer than hashing.
"""

import hashlib
from typing import Final

_BLOCK: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_DIGITS: Final = 11


class Marker:
    """Holds the key, and answers the mark of an INSS; it can be sent to a worker.

    Args:
        key: that of :func:`gateway.register.inss.read_key`; at most 64 bytes.
    """

    __slots__ = ("_inner", "_key", "_outer")

    def __init__(self, key: bytes) -> None:
        if len(key) > _BLOCK:
            raise ValueError("a key longer than a block is hashed first, and this is none of ours")
        padded = key.ljust(_BLOCK, b"\0")
        self._key = key
        self._inner = hashlib.sha256(padded.translate(_INNER))
        self._outer = hashlib.sha256(padded.translate(_OUTER))

    def __call__(self, inss: str) -> str:
        """The keyed hash of an INSS, hexadecimal; zeros may be missing before its digits."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(inss.zfill(_DIGITS).encode())
        outer.update(inner.digest())
        return outer.hexdigest()

    def __reduce__(self) -> tuple[type["Marker"], tuple[bytes]]:
        """How it is sent."""
        return Marker, (self._key,)
