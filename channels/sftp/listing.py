"""How does a client see a file or a directory?

The long name is what ``ls -l`` shows (draft-ietf-secsh-filexfer-02, 7).  Rights and owners are decoration: what a
client may do depends on the directory alone.
"""

import stat
import time
from collections.abc import Iterable, Iterator
from typing import Final

import asyncssh

from channels.sftp.place import DIRECTORIES, STATUS, Place
from spool.mailbox import Entry

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def directory_attributes(place: Place, since: float) -> asyncssh.SFTPAttrs:
    """The attributes of a directory; ``since`` is in seconds since the epoch."""
    mode = stat.S_IFDIR | (0o500 if place.directory == STATUS else 0o700)
    moment = int(since)
    return asyncssh.SFTPAttrs(size=0, permissions=mode, atime=moment, mtime=moment)


def file_attributes(entry: Entry, place: Place) -> asyncssh.SFTPAttrs:
    """The attributes of a file in the directory of ``place``."""
    mode = stat.S_IFREG | (0o400 if place.directory == STATUS else 0o600)
    moment = int(entry.modified)
    return asyncssh.SFTPAttrs(size=entry.size, permissions=mode, atime=moment, mtime=moment)


def root_names(since: float) -> list[asyncssh.SFTPName]:
    """What the root holds."""
    return [_named(name, since, directory_attributes(Place(name), since)) for name in DIRECTORIES]


def file_names(entries: Iterable[Entry], place: Place) -> Iterator[asyncssh.SFTPName]:
    """What a directory holds, made as it is asked for: a client may keep many listings open and read none of them."""
    return (_named(entry.name, entry.modified, file_attributes(entry, place)) for entry in entries)


def _named(name: str, modified: float, attributes: asyncssh.SFTPAttrs) -> asyncssh.SFTPName:
    moment = time.gmtime(modified)
    date = f"{_MONTHS[moment.tm_mon - 1]} {moment.tm_mday:2d}  {moment.tm_year}"
    mode = stat.filemode(attributes.permissions or 0)
    longname = f"{mode}    1 sender   sender   {attributes.size or 0:8d} {date} {name}"
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
