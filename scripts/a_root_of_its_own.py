"""Where is an installation tried that is at its real places and nevertheless touches nothing?

In a mount namespace (unshare(1)): a copy of ``/etc``, empty ``/opt``, ``/var/lib`` and ``/run``, and a ``/usr/local``
that has what there is by links.  Whoever is not root must be able to reach the interpreter and the checkout, which may
lie in a home that is closed to others.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

MARK: Final = Path("/opt/.for-test-install")
"""Is there only where the real folders are hidden."""


def hide(folder: Path, needed: list[Path]) -> None:
    """Lay ``folder`` over the places of an installation, for this process and what it starts.

    Args:
        folder: an empty one, for what is written there; to be removed from outside, where no real folder is in it.
        needed: folders that everybody has to reach as they are.
    """
    if _is_the_systems():
        raise SystemExit("this would lay folders over those of the whole machine: unshare --mount first")
    _mount("--make-rprivate", "/")
    for path in sorted({_closed(path) for path in needed} - {None}, key=str):
        assert path is not None  # noqa: S101 -- they were taken out
        _open_way(path, [one for one in needed if one.is_relative_to(path)], folder)
    for place in ("opt", "etc", "var/lib", "run", "usr/local"):
        (folder / place).mkdir(parents=True)
    subprocess.run(["cp", "-a", "/etc/.", str(folder / "etc")], check=True)
    real = folder / "run" / "usr-local"
    real.mkdir()
    _show("/usr/local", real)
    _mount("--rbind", str(folder / "run"), "/run")
    subprocess.run(["cp", "-as", "/run/usr-local/.", str(folder / "usr/local")], check=True)
    for place in ("opt", "etc", "var/lib", "usr/local"):
        _mount("--bind", str(folder / place), f"/{place}")
    Path("/run/systemd/system").mkdir(parents=True)
    MARK.touch()


def _is_the_systems() -> bool:
    """Whether the mounts here are those that the machine started with; who may not see that is not root there."""
    try:
        return Path("/proc/self/ns/mnt").readlink() == Path("/proc/1/ns/mnt").readlink()
    except OSError:
        return False


def _closed(path: Path) -> Path | None:
    """The first folder on the way to ``path`` that others may not enter."""
    return next((one for one in reversed([path, *path.parents]) if not one.stat().st_mode & 1), None)


def _open_way(closed: Path, needed: list[Path], folder: Path) -> None:
    """Lay an empty folder over ``closed``, with nothing in it but those that are needed."""
    held = {path: folder / f"held-{number}" for number, path in enumerate(needed)}
    for path, place in held.items():
        place.mkdir(parents=True)
        _show(str(path), place)
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(closed))
    for path, place in held.items():
        path.mkdir(parents=True, exist_ok=True)
        _show(str(place), path)


def _show(source: str, place: Path) -> None:
    """Let a real folder be seen at another place too, where nothing of it can be changed."""
    _mount("--bind", source, str(place))
    _mount("-o", "remount,bind,ro", str(place))


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, stdout=sys.stderr)
