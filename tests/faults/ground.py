"""What a site lies on: a folder of this machine's disk, a small file system in memory, or a disk whose power is cut.

The last is a file system on a loop device.  Its power is cut as the kernel lets a test do it: it is shut down at once
(``FS_IOC_SHUTDOWN``), nothing that was not made durable ever gets to the device, and what is left is mounted again,
which replays its log.  The device itself keeps what it was given: it has no cache to lose.
Only root may mount; :func:`refusal` says whether this machine lets it.
"""

import errno
import fcntl
import functools
import os
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_SHUT_DOWN: Final = 0x8004587D
_LOG_WRITTEN, _LOG_LOST = 1, 2
_DISK_BYTES: Final = 1024**3
_MEMORY_BYTES: Final = 256 * 1024**2
_MEMORY_FILES: Final = 100_000
_PAGE: Final = 4096
_SECONDS: Final = 30.0
_PAUSE: Final = 0.05


class Ground:
    """A folder of this machine's disk."""

    name = "folder"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lay(self) -> None:
        """Have it ready, and empty."""
        self.folder.mkdir()

    def settle(self) -> None:
        """Make everything on it durable."""

    def clear(self) -> None:
        """Have it no longer; harmless twice."""


class Memory(Ground):
    """A small file system in memory, which can be full: of bytes, or of files."""

    name = "tmpfs"

    def lay(self) -> None:
        """Mount it."""
        super().lay()
        _run("mount", "-t", "tmpfs", "-o", self._sizes(_MEMORY_BYTES // _PAGE, _MEMORY_FILES), self.name, self.folder)

    def fill(self, *, bytes_left: int) -> None:
        """Let it have no room for more than so many bytes, rounded up to pages."""
        self._limit(lambda facts: (facts.f_blocks - facts.f_bfree + -(-bytes_left // _PAGE), _MEMORY_FILES))

    def fill_inodes(self) -> None:
        """Let it have no room for one more file."""
        self._limit(lambda facts: (_MEMORY_BYTES // _PAGE, facts.f_files - facts.f_ffree))

    def empty(self) -> None:
        """Give it its room back."""
        self._limit(lambda _: (_MEMORY_BYTES // _PAGE, _MEMORY_FILES))

    def clear(self) -> None:
        """Unmount it."""
        unmount(self.folder)

    def _limit(self, of: Callable[[os.statvfs_result], tuple[int, int]]) -> None:
        """Give it other limits; while files come, what it holds may be more than they are, and then they are anew."""
        end = time.monotonic() + _SECONDS
        while True:
            words = f"remount,{self._sizes(*of(os.statvfs(self.folder)))}"
            try:
                _run("mount", "-o", words, self.folder)
            except subprocess.CalledProcessError:
                if time.monotonic() > end:
                    raise
            else:
                return

    def _sizes(self, blocks: int, files: int) -> str:
        return f"nr_blocks={blocks},nr_inodes={files}"


class Disk(Ground):
    """A file system of one kind, ``ext4`` or ``xfs``, on a disk of its own."""

    def __init__(self, folder: Path, kind: str) -> None:
        super().__init__(folder)
        self.name = kind
        self._cuts = 0

    @property
    def _image(self) -> Path:
        return self.folder.with_suffix(f".disk{self._cuts}")

    def lay(self) -> None:
        """Make it and mount it."""
        super().lay()
        with self._image.open("wb") as image:
            image.truncate(_DISK_BYTES)
        _run(f"mkfs.{self.name}", "-q", self._image)
        self._mount()

    def settle(self) -> None:
        """Make everything on it durable."""
        _run("sync", "--file-system", self.folder)

    def cut(self, *, log_written: bool) -> None:
        """Cut its power: from now on every call fails.

        Args:
            log_written: whether what its journal has in memory still gets to the disk; then names may be there whose
                bytes are not.
        """
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUT_DOWN, struct.pack("I", _LOG_WRITTEN if log_written else _LOG_LOST))
        finally:
            os.close(descriptor)

    def mend(self) -> None:
        """Have it back as the cut has left it; nobody may use it any more.

        It goes on as a copy: other programs of this machine may just have made a mount namespace, and as long as that
        lasts the kernel gives the file system that was shut down to whoever mounts this disk.
        """
        unmount(self.folder)
        before = self._image
        self._cuts += 1
        _run("cp", "--sparse=always", before, self._image)
        before.unlink()
        self._mount()

    def clear(self) -> None:
        """Unmount it."""
        unmount(self.folder)
        self._image.unlink(missing_ok=True)

    def _mount(self) -> None:
        options = "loop,nouuid" if self.name == "xfs" else "loop"
        _run("mount", "-t", self.name, "-o", options, self._image, self.folder)


def unmount(folder: Path) -> None:
    """Unmount what is mounted there, once those that used it have ended; harmless twice."""
    end = time.monotonic() + _SECONDS
    while os.path.ismount(folder) or _is_shut_down(folder):
        try:
            _run("umount", folder)
        except subprocess.CalledProcessError:
            if time.monotonic() > end:
                raise
            time.sleep(_PAUSE)


def _is_shut_down(folder: Path) -> bool:
    try:
        os.listdir(folder)  # noqa: PTH208 - asks the file system, and not what the kernel remembers of it
    except FileNotFoundError:
        return False
    except OSError as fault:
        return fault.errno == errno.EIO
    return False


def make(name: str, folder: Path) -> Ground:
    """The ground of that name (one of :data:`NAMES`) in ``folder``, not laid yet."""
    match name:
        case "folder":
            return Ground(folder)
        case "tmpfs":
            return Memory(folder)
        case _:
            return Disk(folder, name)


NAMES: Final = ("folder", "tmpfs", "ext4", "xfs")
"""What a site can lie on."""


@functools.cache
def refusal(name: str) -> str:
    """Why there can be no such ground here; empty if there can.

    Raises:
        FileNotFoundError: the programs that make it are not installed, which is nobody's reason.
    """
    if name == "folder":
        return ""
    if os.geteuid() != 0:
        return "only root may mount"
    with tempfile.TemporaryDirectory(prefix="gateway-ground-") as folder:
        ground = make(name, Path(folder) / name)
        try:
            ground.lay()
        except FileNotFoundError:
            raise
        except (OSError, subprocess.CalledProcessError) as fault:
            return f"this machine mounts no {name}: {fault}"
        finally:
            ground.clear()
    return ""


def _run(*words: str | Path) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)
