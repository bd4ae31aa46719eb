"""How does one channel of a connection take requests?

Here is what asyncssh (2.24) doesn't let be set from outside, so its private classes are extended; a contract test
watches them.  Only the requests of SFTP version 3 (draft-ietf-secsh-filexfer-02) and five of OpenSSH's extensions are
answered.  An upload is finished when the client's own close request is being answered and at no other time: asyncssh
closes files in the same way when a connection is cut.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final

import asyncssh
from asyncssh.channel import SSHChannel, SSHServerChannel
from asyncssh.constants import FXP_BLOCK, FXP_CLOSE, FXP_LINK, FXP_OPEN, FXP_OPENDIR, FXP_READ, FXP_UNBLOCK, FXP_WRITE
from asyncssh.packet import Byte, PacketDecodeError, SSHPacket, UInt32
from asyncssh.sftp import SFTPLimits, SFTPServerHandler
from asyncssh.stream import SSHReader, SSHServerStreamSession, SSHWriter

from channels.sftp.frames import Frames, TooLongError
from channels.sftp.handles import MAX_READ
from channels.sftp.listing import Names
from channels.sftp.packets import PIECE, Piece
from channels.sftp.refusal import told
from channels.sftp.request import Request
from channels.sftp.tree import Tree
from channels.sftp.visit import Visit
from channels.sftp.wire import Connection, lighten_channel
from spool.mailbox import MailboxRefusal, Trouble

MAX_PACKET: Final = 256 * 1024
_VERSION: Final = 3
_IN_A_ROW: Final = 128
# RFC 4253, 6.1 demands 32768 of everybody; with a few bytes a packet one answer would be thousands of packets.
_LEAST_PACKET: Final = 4096
_EXTENSIONS: Final = {
    b"posix-rename@openssh.com": b"1",
    b"fsync@openssh.com": b"1",
    b"limits@openssh.com": b"1",
    b"statvfs@openssh.com": b"2",
    b"fstatvfs@openssh.com": b"2",
}

_LATER_VERSIONS: Final = (FXP_LINK, FXP_BLOCK, FXP_UNBLOCK)

# What the answer is made of is asyncssh's affair.
Answerer = Callable[..., Awaitable[Any]]
Table = dict[int | bytes, Any]


def _guarded(answer: Answerer) -> Answerer:
    @functools.wraps(answer)
    async def guarded(requests: "Requests", packet: SSHPacket) -> Any:
        try:
            return await answer(requests, packet)
        except PacketDecodeError:
            raise
        except Exception as error:  # the last place before asyncssh would send the text of it to the client
            if isinstance(error, MailboxRefusal):
                requests.note(error)
            raise told(error) from None

    return guarded


def _answerable(theirs: Table, ours: Table) -> Table:
    """What is answered, and how: some of ``theirs``, all of ``ours``."""
    table = {kind: theirs[kind] for kind in theirs if isinstance(kind, int) or kind in _EXTENSIONS}
    return {kind: _guarded(answer) for kind, answer in (table | ours).items() if kind not in _LATER_VERSIONS}


class Requests(SFTPServerHandler):
    """The requests of one channel, answered one after another."""

    _extensions = list(_EXTENSIONS.items())  # noqa: RUF012 - as asyncssh declares it

    def __init__(self, tree: Tree, session: "SftpSession", channel: "SSHChannel[bytes]", visit: Visit) -> None:
        super().__init__(tree, SSHReader(session, channel), SSHWriter(session, channel), _VERSION)
        self.tree = tree
        self._session = session
        self._visit = visit
        self._taken = 0
        self._is_paced = True

    @property
    def open_files(self) -> int:
        """How many files are open."""
        return len(self._file_handles)

    @property
    def open_handles(self) -> int:
        """How many files and directories are open."""
        return len(self._file_handles) + len(self._dir_handles)

    def note(self, refusal: MailboxRefusal) -> None:
        """Log what the sender was refused with; to ask for what is not there is nothing worth it."""
        if refusal.trouble is Trouble.FULL:
            self.tree.share.tell(refusal.words)
        elif refusal.trouble is not Trouble.MISSING:
            self.tree.share.refuse(refusal.words)

    async def serve(self) -> None:
        """Answer until the client goes; whatever happens, nothing stays open."""
        self._visit.begin(self)
        try:
            await self.run()
        finally:
            await self.tree.release()
            self._visit.end(self)

    async def recv_packet(self) -> SSHPacket:
        """The next request, not before the client has taken the last answers: they are kept in memory."""
        self._visit.rest(self)
        await self._session.exchanged()
        if not self._visit.is_writable:
            await self._visit.writable()
        if self._reader is None or self._writer is None:
            raise asyncssh.SFTPConnectionLost("closed")
        if self._session.is_held_up:
            await self._writer.drain()
        try:
            request = Request(await self._session.frames.next())
        except TooLongError as error:
            raise asyncssh.SFTPBadMessage(str(error)) from None
        self._visit.work(self)
        self._taken += 1
        if not self._taken % _IN_A_ROW:
            await asyncio.sleep(0)
        self._is_paced = not request.is_bulk
        if self._is_paced:
            await self.tree.share.pace()
        return request

    def send_packet(self, pkttype: int, pktid: int | None, *args: bytes) -> None:
        """Send an answer."""
        if self._writer is None:
            raise asyncssh.SFTPNoConnection("closed")
        if not self._writer.channel.is_closing():
            length = 1 + sum(map(len, args))
            self._writer.write(b"".join((UInt32(length), Byte(pkttype), *args)))

    def log_received_packet(self, *_args: object, **_kwargs: object) -> None:
        """Say nothing: asyncssh would put the words together whether they are written or not."""

    async def _process_open(self, packet: SSHPacket) -> bytes:
        path, pflags = packet.get_string(), packet.get_uint32()
        asyncssh.SFTPAttrs.decode(packet, _VERSION)  # what the client thinks of its file doesn't count
        packet.check_end()
        with self._visit.one_more_handle():
            file = await self.tree.open(path, pflags)
            handle = self._get_next_handle()
            self._file_handles[handle] = file
            return handle

    async def _process_opendir(self, packet: SSHPacket) -> bytes:
        path = packet.get_string()
        packet.check_end()
        with self._visit.one_more_handle():
            names = Names(await self.tree.names(path))
            handle = self._get_next_handle()
            self._dir_handles[handle] = names
            return handle

    async def _process_close(self, packet: SSHPacket) -> None:
        self.tree.close_asked = True
        try:
            await super()._process_close(packet)
        finally:
            self.tree.close_asked = False

    async def _process_read(self, packet: SSHPacket) -> tuple[bytes, bool]:
        brought = b""
        try:
            brought, is_last = await super()._process_read(packet)
            return brought, is_last
        finally:
            # A piece bounds by its own bytes how often it can be asked for; the end of a file does not.
            if len(brought) < PIECE and not self._is_paced:
                await self.tree.share.pace()

    async def _process_write(self, packet: SSHPacket) -> int:
        handle, offset, size = packet.get_string(), packet.get_uint64(), packet.get_uint32()
        data = packet.rest() if isinstance(packet, Request) else [packet.get_remaining_payload()]
        if size != sum(map(len, data)):
            raise PacketDecodeError("Incomplete packet")
        file = self._file_handles.get(handle)
        if file is None:
            raise asyncssh.SFTPInvalidHandle("Invalid file handle")
        written = self.tree.write(file, offset, *data)
        return written if isinstance(written, int) else await written

    async def _process_limits(self, packet: SSHPacket) -> SFTPLimits:
        packet.check_end()
        return SFTPLimits(MAX_PACKET, MAX_READ, MAX_READ, self._visit.max_handles)

    _packet_handlers = _answerable(
        SFTPServerHandler._packet_handlers,  # noqa: SLF001 - the table is asyncssh's only register of requests
        {
            FXP_OPEN: _process_open,
            FXP_OPENDIR: _process_opendir,
            FXP_CLOSE: _process_close,
            FXP_READ: _process_read,
            FXP_WRITE: _process_write,
            b"limits@openssh.com": _process_limits,
        },
    )


class SftpSession(SSHServerStreamSession[bytes]):
    """A session channel that can become an SFTP one and nothing else: no shell, command or environment."""

    def __init__(self, visit: Visit, make_tree: Callable[["SSHServerChannel[bytes]"], Tree]) -> None:
        super().__init__(None)
        self._visit = visit
        self._make_tree = make_tree
        self._tree: Tree | None = None

    def connection_made(self, chan: "SSHChannel[bytes]") -> None:
        """The channel is open."""
        super().connection_made(chan)
        lighten_channel(chan)
        self.frames = Frames(chan, MAX_PACKET, chan.get_recv_window())
        # asyncssh would keep every variable a client sends.
        chan._process_env_request = _refuse  # type: ignore[attr-defined]  # noqa: SLF001 - found by name

    @property
    def is_held_up(self) -> bool:
        """Whether the client takes no bytes for now, or is gone."""
        return self._write_paused or self._connection_lost

    async def exchanged(self) -> None:
        """Wait until the connection exchanges no keys, or is gone."""
        if isinstance(self._conn, Connection):
            await self._conn.exchanged.wait()

    def data_received(self, data: bytes | list[Piece], datatype: int | None) -> None:
        """Bytes of requests have come, or what several packets have brought of them."""
        self.frames.feed(*(data if isinstance(data, list) else (data,)))

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is gone."""
        super().connection_lost(exc)
        self._visit.give_seat_back()

    def subsystem_requested(self, subsystem: str) -> bool:
        """SFTP and no other, and not for a client that takes tiny packets only."""
        size = self._chan._send_pktsize if self._chan is not None else 0  # noqa: SLF001 - not told otherwise
        return subsystem == "sftp" and size >= _LEAST_PACKET

    def session_started(self) -> None:
        """The client has asked for SFTP."""
        if not isinstance(self._chan, SSHServerChannel) or self._conn is None:
            return
        self._chan.set_encoding(None)
        self._encoding = None
        tree = self._tree = self._make_tree(self._chan)
        requests = Requests(tree, self, self._chan, self._visit)
        task = self._conn.create_task(requests.serve(), self._chan.logger)
        self._visit.tasks.add(task)
        task.add_done_callback(self._visit.tasks.discard)

    def eof_received(self) -> bool:
        """The client has asked for everything it wanted."""
        # asyncssh calls this for a connection that was cut, too.
        if self._tree is not None and not self._connection_lost:
            self._tree.ended = True
        self.frames.end()
        return super().eof_received()

    def break_received(self, msec: int) -> bool:
        """Ignored; asyncssh would raise it where requests are read."""
        return False

    def signal_received(self, signal: str) -> None:
        """Ignored."""

    def soft_eof_received(self) -> None:
        """Ignored."""

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        """Ignored."""


def _refuse(_packet: SSHPacket) -> bool:
    return False
