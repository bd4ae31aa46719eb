"""How is a packet opened and sealed, and which bytes of packets are data for a channel?

Here are AES-GCM as RFC 5647 has it and the packets of data of RFC 4254 (5.2); whatever is odd about a packet is found,
and left to be judged by asyncssh.
"""

import struct
from collections.abc import Callable
from typing import Final, Protocol

from asyncssh.constants import MSG_CHANNEL_DATA, MSG_IGNORE
from asyncssh.crypto.cipher import GCMCipher
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TAG: Final = 16
BLOCK: Final = 16
LEAST_PADDING: Final = 4
HEAD: Final = struct.Struct(">BBLL")
"""Of a packet of data: length of the padding, type, channel, length."""
_SAYS_NOTHING: Final = struct.Struct(">BBL")
"""Of a packet that says nothing: length of the padding, type, length."""
PIECE: Final = 4096
"""Of fewer bytes a copy is kept, that many tiny pieces keep no packets alive."""

_COUNTS: Final = 1 << 64

Piece = bytes | memoryview


class Taker(Protocol):
    """A channel that takes data."""

    @property
    def room(self) -> int:
        """How many bytes may come now; less than none if none may."""

    def take(self, pieces: list[Piece], size: int) -> None:
        """Data have come, ``size`` bytes together, for which there was room."""


class Gcm(GCMCipher):
    """AES-GCM: the same bytes as asyncssh's, by one cipher for all packets.

    Args:
        key, iv: what the key exchange gave; of ``iv`` the last eight bytes are counted up with every packet.
    """

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._aead = AESGCM(key)
        self._fixed = iv[:4]
        self._count = int.from_bytes(iv[4:], "big")
        self._kept: tuple[bytes | None] | None = None

    def _nonce(self) -> bytes:
        count = self._count
        self._count = (count + 1) % _COUNTS
        return self._fixed + count.to_bytes(8, "big")

    def seal(self, header: bytes, data: bytes) -> bytes:
        """The packet as it goes out."""
        return header + self._aead.encrypt(self._nonce(), data, header)

    def open(self, header: bytes, sealed: Piece) -> bytes | None:
        """What was in a packet; None if it is not what its sender sealed."""
        try:
            return self._aead.decrypt(self._nonce(), sealed, header)
        except InvalidTag:
            return None

    def keep(self, packet: bytes | None) -> None:
        """Have asyncssh be given ``packet``, what :meth:`open` has answered, when it opens the same one."""
        self._kept = (packet,)

    def encrypt_and_sign(self, header: bytes, data: bytes) -> tuple[bytes, bytes]:
        """As asyncssh wants a packet: all but the tag, and the tag."""
        sealed = self.seal(header, data)
        return sealed[:-TAG], sealed[-TAG:]

    def verify_and_decrypt(self, header: bytes, data: bytes, mac: bytes) -> bytes | None:
        """As :meth:`open`, for asyncssh."""
        if self._kept is not None:
            (packet,), self._kept = self._kept, None
            return packet
        return self.open(header, data + mac)


class Batch:
    """The data of packets that came together, which their channel is handed together.

    Between them may be packets that say nothing (RFC 4253, 11.2): some clients send one before each packet.

    Args:
        find: answers the channel of a number; None if it takes no data.
    """

    __slots__ = ("_channel", "_count", "_find", "_idle", "_number", "_pieces", "_room", "_size")

    def __init__(self, find: Callable[[int], Taker | None]) -> None:
        self._count = 0
        self._idle = 0
        self._find = find
        self._channel: Taker | None = None
        self._number = -1
        self._room = -1
        self._size = 0
        self._pieces: list[Piece] = []

    def add(self, packet: bytes) -> bool:
        """Take the data of ``packet``, or that it says nothing.

        False if it has data for which there is no room, says anything else, or if anything is odd about it.
        """
        if len(packet) < HEAD.size:
            return False
        padding, kind, number, size = HEAD.unpack_from(packet)
        if kind == MSG_IGNORE:
            return self._pass_over(packet)
        end = HEAD.size + size
        if kind != MSG_CHANNEL_DATA or padding < LEAST_PADDING or end + padding != len(packet):
            return False
        if (number != self._number or size > self._room) and not self._turn_to(number, size):
            return False
        # Of a large piece a look at the packet is handed on: its bytes are not copied before they are written.
        if size:
            self._pieces.append(packet[HEAD.size : end] if size < PIECE else memoryview(packet)[HEAD.size : end])
        self._room -= size
        self._size += size
        self._count += 1
        return True

    def _pass_over(self, packet: bytes) -> bool:
        padding, _, size = _SAYS_NOTHING.unpack_from(packet)
        is_whole = padding >= LEAST_PADDING and _SAYS_NOTHING.size + size + padding == len(packet)
        self._idle += is_whole
        return bool(is_whole)

    def _turn_to(self, number: int, size: int) -> bool:
        """See whether there is room for ``size`` bytes of a channel, which what came before may have changed."""
        self._hand_on()
        channel = self._find(number)
        if channel is None or size > channel.room:
            return False
        self._channel, self._number, self._room = channel, number, channel.room
        return True

    def hand_on(self) -> tuple[int, int]:
        """Give their channels what was taken for them.

        Answers from how many packets since the last time, and how many there were that said nothing.
        """
        self._hand_on()
        counts, self._count, self._idle = (self._count, self._idle), 0, 0
        return counts

    def _hand_on(self) -> None:
        pieces, size, channel = self._pieces, self._size, self._channel
        self._pieces, self._size, self._channel, self._number = [], 0, None, -1
        if channel is not None and size:
            channel.take(pieces, size)
