"""How do the bytes of files get through a connection with no more work than the protocol asks for?

asyncssh (2.24) does more: before every packet it sends an empty one, which keeps an attacker from choosing what a
block cipher in CBC mode is chained to (RFC 4251, 9.3.1) and which none of our ciphers needs; it puts together the words
of a log line for every packet, written or not; it makes a cipher anew for every packet, and copies its bytes a dozen
times.  Its classes are extended for this, and a contract test watches them.  What is sent, and what is checked in what
comes, is what asyncssh sends and checks.
"""

import asyncio
import os
import time
from typing import Any, Final, cast

import asyncssh
from asyncssh.channel import SSHChannel, SSHServerChannel
from asyncssh.constants import MSG_CHANNEL_DATA, MSG_IGNORE
from asyncssh.encryption import GCMEncryption
from asyncssh.packet import String, UInt32

from channels.sftp.packets import BLOCK, HEAD, LEAST_PADDING, PIECE, TAG, Batch, Gcm, Piece
from channels.sftp.silence import Silence

_SEQUENCE: Final = 0xFFFFFFFF
_INSTANT: Final = 0.01
_DEFERRED: Final = 1000  # packets that wait for new keys; the sessions of a connection have some hundred at most


_SILENCE: Final = Silence()


def _cipher_of(encryption: object) -> Gcm | None:
    """The cipher of ``encryption`` if it is AES-GCM, put in place of asyncssh's if need be."""
    if not isinstance(encryption, GCMEncryption):
        return None
    cipher = encryption._cipher  # noqa: SLF001 - there is no other way to it
    if not isinstance(cipher, Gcm):
        cipher = encryption._cipher = Gcm(cipher._key, cipher._iv)  # noqa: SLF001 - as above
    return cipher


class Connection(asyncssh.SSHServerConnection):
    """One connection; :func:`lighten` makes it of asyncssh's.  ``exchanged`` is clear while keys are exchanged."""

    _heard = 0.0
    exchanged: asyncio.Event
    batch: Batch

    # --- while keys are exchanged: what is sent meanwhile is kept in memory

    def _send_kexinit(self) -> None:
        super()._send_kexinit()
        self.exchanged.clear()

    def _send_deferred_packets(self) -> None:
        super()._send_deferred_packets()
        if self._kex_complete:
            self.exchanged.set()

    def connection_lost(self, exc: Exception | None = None) -> None:
        """The connection is gone."""
        super().connection_lost(exc)
        self.exchanged.set()

    # --- what goes out

    def send_packet(self, pkttype: int, *args: bytes, handler: Any = None) -> None:
        """Send a packet, unless it is one that says nothing."""
        if pkttype != MSG_IGNORE:
            super().send_packet(pkttype, *args, handler=handler)
            if len(self._deferred_packets) > _DEFERRED:
                self._deferred_packets.clear()
                error = asyncssh.ProtocolError("too much waits for new keys")
                self._send_disconnect(error.code, error.reason, error.lang)
                self._force_close(error)

    def send_data(self, channel: int, data: memoryview) -> None:
        """Send ``data`` on the channel that the client has given the number ``channel``."""
        cipher = _cipher_of(self._send_encryption)
        if cipher is None or not self._is_plain():
            self.send_packet(MSG_CHANNEL_DATA, UInt32(channel), String(bytes(data)))
            return
        # Type, channel and length stand before the data; the length of the padding stands before them.
        padding = -(HEAD.size + len(data)) % BLOCK
        if padding < LEAST_PADDING:
            padding += BLOCK
        length = HEAD.size + len(data) + padding
        head = HEAD.pack(padding, MSG_CHANNEL_DATA, channel, len(data))
        self._send(cipher.seal(UInt32(length), b"".join((head, data, os.urandom(padding)))))
        self._send_seq = (self._send_seq + 1) & _SEQUENCE
        self._rekey_bytes_sent += length

    def _is_plain(self) -> bool:
        """Whether nothing has to be done but to seal and send: no keys to be exchanged, nothing to be squeezed."""
        if not (self._auth_complete and self._kex_complete) or self._compressor:
            return False
        due = self._rekey_bytes_sent >= self._rekey_bytes
        return not due and not (self._rekey_seconds and time.monotonic() >= self._rekey_time)

    # --- what comes in

    def _recv_data(self) -> None:
        cipher = _cipher_of(self._recv_encryption)
        if cipher is None or not self._auth_complete or self._recv_handler != self._recv_pkthdr:
            super()._recv_data()
            return
        self._reset_keepalive_timer()
        try:
            is_odd = bool(self._decompressor) or self._take_data(cipher)
        except Exception:
            self.internal_error()
            return
        if is_odd:
            super()._recv_data()

    def _take_data(self, cipher: Gcm) -> bool:
        """Hand on the data of whole packets; answers whether what comes next is for asyncssh to look at."""
        come, start, is_odd, batch = self._inpbuf, 0, False, self.batch
        waiting = memoryview(come)
        while len(come) - start >= BLOCK and not is_odd:
            header = come[start : start + 4]
            end = start + 4 + int.from_bytes(header, "big") + TAG
            is_odd = end - start > self._max_recv_pktlen
            if is_odd or end > len(come):
                break
            packet = cipher.open(header, waiting[start + 4 : end])
            if packet is None or not batch.add(packet):
                cipher.keep(packet)
                is_odd = True
            else:
                start = end
        count, idle = batch.hand_on()
        self._recv_seq = (self._recv_seq + count + idle) & _SEQUENCE
        if count:
            self._auth_final = True
        self._inpbuf = come[start:]
        return is_odd

    def taker(self, number: int) -> "DataChannel | None":
        """The channel of a number, if it takes data."""
        channel = self._channels.get(number)
        return channel if isinstance(channel, DataChannel) else None

    # --- whether the client is still there

    def _reset_keepalive_timer(self) -> None:
        self._heard = self._loop.time()
        if self._auth_complete and self._keepalive_timer is None:
            self._set_keepalive_timer()

    def _keepalive_timer_callback(self) -> None:
        """Ask the client whether it is there, if it has said nothing since the time was set."""
        left = self._heard + self._keepalive_interval - self._loop.time()
        if left <= _INSTANT:
            super()._keepalive_timer_callback()
        else:
            self._keepalive_timer = self._loop.call_later(left, self._keepalive_timer_callback)

    def log_sent_packet(self, *_args: object, **_kwargs: object) -> None:
        """Say nothing."""

    def log_received_packet(self, *_args: object, **_kwargs: object) -> None:
        """Say nothing."""


class DataChannel(SSHServerChannel[bytes]):
    """One channel of such a connection; :func:`lighten_channel` makes it of asyncssh's."""

    @property
    def room(self) -> int:
        """How many bytes may come now; less than none if none may."""
        return self._recv_window if self._recv_state == "open" else -1

    def take(self, pieces: list[Piece], size: int) -> None:
        """Data have come, ``size`` bytes together, for which there was room."""
        if self._recv_paused or self._send_state != "open" or self._encoding:
            for piece in pieces:
                self._accept_data(piece)
        else:
            self._recv_window -= size
            self._deliver_data(pieces, None)  # type: ignore[arg-type] # handed on as it is

    def _accept_data(self, data: Piece, datatype: int | None = None) -> None:
        """Take ``data``; tiny packets that must wait are put together, or there could be millions of them."""
        super()._accept_data(data, datatype)  # type: ignore[arg-type] # handed on as it is
        if len(self._recv_buf) > 1:
            (first, _), (last, _) = self._recv_buf[-2:]
            if len(first) + len(last) <= PIECE:
                self._recv_buf[-2:] = [(b"".join((first, last)), None)]

    def write(self, data: bytes, datatype: int | None = None) -> None:
        """Send ``data`` as far as the client's window allows, and the rest later."""
        if datatype is not None or self._encoding:
            raise OSError("there is but one stream, and it is one of bytes")
        if self._send_state != "open":
            raise BrokenPipeError("Channel not open for sending")
        if data:
            # What waits is cut from its front, which costs nothing where it is looked at and not owned.
            self._send_buf.append((memoryview(data), None))  # type: ignore[arg-type] # sent below, and only there
            self._send_buf_len += len(data)
            self._flush_send_buf()

    def _flush_send_buf(self) -> None:
        connection, channel = self._conn, self._send_chan
        while self._send_buf and self._send_window and isinstance(connection, Connection) and channel is not None:
            data, _ = self._send_buf[0]
            size = min(self._send_window, self._send_pktsize, len(data))
            if size < len(data):
                self._send_buf[0] = (data[size:], None)
            else:
                del self._send_buf[0]
            self._send_buf_len -= size
            self._send_window -= size
            connection.send_data(channel, memoryview(data)[:size])
        super()._flush_send_buf()

    def log_sent_packet(self, *_args: object, **_kwargs: object) -> None:
        """Say nothing."""

    def log_received_packet(self, *_args: object, **_kwargs: object) -> None:
        """Say nothing."""


def lighten(connection: asyncssh.SSHServerConnection) -> None:
    """Make ``connection``, which has just been made, one that does no needless work."""
    connection.__class__ = Connection
    connection._logger = _SILENCE  # noqa: SLF001 - channels and requests take theirs from it
    lightened = cast("Connection", connection)
    lightened.exchanged = asyncio.Event()
    lightened.batch = Batch(lightened.taker)


def lighten_channel(channel: "SSHChannel[bytes]") -> None:
    """The same for a channel of such a connection."""
    channel.__class__ = DataChannel
