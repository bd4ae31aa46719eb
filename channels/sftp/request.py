"""What is in a request, and how much is put together of it?

asyncssh wants a request in one piece.  Of a long one to write only the beginning is read by it: the bytes of the file
are written from where they were decrypted, for to put them together would be one more copy of all that is uploaded.
"""

from collections.abc import Sequence
from typing import Final

from asyncssh.constants import FXP_READ, FXP_WRITE
from asyncssh.packet import SSHPacket

from channels.sftp.packets import PIECE, Piece

# Type, number, handle (256 bytes at most; draft-ietf-secsh-filexfer-02, 6.2), place in the file, length of the data.
_BEFORE_DATA: Final = 1 + 4 + 4 + 256 + 8 + 4
_READ: Final = bytes([FXP_READ])
_WRITE: Final = bytes([FXP_WRITE])
_LONG: Final = 16 * 1024
_PIECES: Final = 64


class Request(SSHPacket):
    """A request, from the ``pieces`` that have brought it; some bytes of a long one to write may be left in them.

    ``is_bulk``: whether it moves a good piece of a file; its own bytes bound how often it can come.
    """

    def __init__(self, pieces: Sequence[Piece]) -> None:
        first = pieces[0] if pieces else b""
        size = len(first) if len(pieces) == 1 else sum(map(len, pieces))
        is_write = first[:1] == _WRITE
        self._left: Sequence[Piece] = ()
        if is_write and len(first) >= _BEFORE_DATA and size >= _LONG and len(pieces) <= _PIECES:
            self._left = first[_BEFORE_DATA:], *pieces[1:]
            whole = bytes(first[:_BEFORE_DATA])
        else:
            whole = bytes(first) if len(pieces) == 1 else b"".join(pieces)
        super().__init__(whole)
        self.is_bulk = (size if is_write else _wanted_by(whole)) >= PIECE

    def rest(self) -> list[Piece]:
        """Everything that was not read yet, in pieces."""
        return [self.get_remaining_payload(), *self._left]


def _wanted_by(request: bytes) -> int:
    """How many bytes are to be read, if that is what is asked for."""
    return int.from_bytes(request[-4:], "big") if request[:1] == _READ else 0
