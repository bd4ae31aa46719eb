"""How does a client see a file or a directory?

The long name is what ``ls -l`` shows (draft-ietf-secsh-filexfer-02, 7).  Rights and owners are decoration: what a
client may do depends on the directory alone.
"""

import stat
import time
from collections.abc import Iterable, Iterator
from typing import Final

import asyncssh

from channels.sftp.place import DIRECTORIES
from spool.mailbox import Entry

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FILE: Final = stat.S_IFREG | 0o600
_DIRECTORY: Final = stat.S_IFDIR | 0o700


def directory_attributes(since: float) -> asyncssh.SFTPAttrs:
    """The attributes of any directory; ``since`` is in seconds since the epoch."""
    moment = int(since)
    return asyncssh.SFTPAttrs(size=0, permissions=_DIRECTORY, atime=moment, mtime=moment)


def file_attributes(entry: Entry) -> asyncssh.SFTPAttrs:
    """The attributes of a file."""
    moment = int(entry.modified)
    return asyncssh.SFTPAttrs(size=entry.size, permissions=_FILE, atime=moment, mtime=moment)


def root_names(since: float) -> list[asyncssh.SFTPName]:
    """What the root holds."""
    attributes = directory_attributes(since)
    return [_named(name, 0, since, _DIRECTORY, attributes) for name in DIRECTORIES]


def file_names(entries: Iterable[Entry]) -> Iterator[asyncssh.SFTPName]:
    """What a directory holds, made as it is asked for: a client may keep many listings open and read none of them."""
    return (_named(entry.name, entry.size, entry.modified, _FILE, file_attributes(entry)) for entry in entries)


def _named(name: str, size: int, modified: float, mode: int, attributes: asyncssh.SFTPAttrs) -> asyncssh.SFTPName:
    moment = time.gmtime(modified)
    date = f"{_MONTHS[moment.tm_mon - 1]} {moment.tm_mday:2d}  {moment.tm_year}"
    longname = f"{stat.filemode(mode)}    1 sender   sender   {size:8d} {date} {name}"
    return asyncssh.SFTPName(name.encode(), longname.encode(), attributes)


class Names:
    """A directory that a client is reading; asyncssh takes some names at a time."""

    def __init__(self, names: Iterable[asyncssh.SFTPName]) -> None:
        self._names: Iterator[asyncssh.SFTPName] = iter(names)

    def __aiter__(self) -> "Names":
        return self

    async def __anext__(self) -> asyncssh.SFTPName:
        try:
            return next(self._names)
        except StopIteration:
            raise StopAsyncIteration from None
