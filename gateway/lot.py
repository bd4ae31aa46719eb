"""Which of the files to be checked belong together, and which repeat another?

A lot is what is checked in one go. Files of one folder whose names share their stem are a batch, judged as a set if the
whole folder was named or a file beside FI was: of an FI alone nobody knows what else will be sent.

Repeats: annex 30, code 133, and as in `gateway.repeats` a name is used up by what was accepted only.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.report import Notice, Remark
from schemas.codes import Code, Finding
from schemas.filename import Prefix, set_key

_BESIDE_DATA = tuple(f"{prefix}." for prefix in (Prefix.FS, Prefix.GO, Prefix.TD))


@dataclass(frozen=True, slots=True)
class Batch:
    """Files that belong together, in the order of their names; ``key`` is what their names share."""

    key: str
    files: tuple[Path, ...]
    is_set: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its files."""
        return tuple(file.name for file in self.files)

    @property
    def data(self) -> tuple[Path, ...]:
        """Its FI files, or the one file whose name says nothing."""
        return tuple(file for file in self.files if not file.name.startswith(_BESIDE_DATA))

    @property
    def signatures(self) -> tuple[Path, ...]:
        """Its FS files."""
        return tuple(file for file in self.files if file.name.startswith("FS."))

    def signature_of(self, data: Path) -> Path | None:
        """The FS file of an FI file."""
        name = f"FS.{data.name.removeprefix('FI.')}"
        return next((file for file in self.signatures if file.name == name), None)


def gather(arguments: Iterable[Path]) -> tuple[Batch, ...]:
    """The batches of a lot, in the order in which they were named; a file named twice counts once.

    Args:
        arguments: files, and folders whose files are meant; what begins with a dot is left out.

    Raises:
        OSError: if a folder can't be listed
    """
    found: dict[tuple[Path, str], dict[str, Path]] = {}
    sets: set[tuple[Path, str]] = set()
    for file, from_folder in _files(arguments):
        batch = file.parent.resolve(), set_key(file.name)
        found.setdefault(batch, {}).setdefault(file.name, file)
        if from_folder or file.name.startswith(_BESIDE_DATA):
            sets.add(batch)
    return tuple(
        Batch(batch[1], tuple(files[name] for name in sorted(files)), batch in sets) for batch, files in found.items()
    )


def _files(arguments: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    for argument in arguments:
        if argument.is_dir():
            for file in sorted(argument.iterdir()):
                if file.is_file() and not file.name.startswith("."):
                    yield file, True
        else:
            yield argument, False


class Repeats:
    """Remembers what was in the lot so far."""

    def __init__(self) -> None:
        self._accepted: dict[str, tuple[str, ...]] = {}
        self._contents: dict[tuple[str, str], Path] = {}

    def of_name(self, batch: Batch, digests: Sequence[str]) -> tuple[Finding | Remark, ...]:
        """Whether a batch of that name was accepted before: with other content it is refused."""
        earlier = self._accepted.get(batch.key)
        if earlier is None:
            return ()
        if earlier == tuple(digests):
            return (Remark(Notice.SAME_NAME),)
        return (Finding(Code.ALREADY_SENT, "in this lot, with other content"),)

    def of_content(self, batch: Batch, file: Path, digest: str) -> tuple[Remark, ...]:
        """Whether a file of another name and the same environment has the same bytes."""
        environment = batch.key.rpartition(".")[2]
        earlier = self._contents.setdefault((environment, digest), file)
        return () if earlier.name == file.name else (Remark(Notice.SAME_CONTENT, str(earlier)),)

    def note(self, batch: Batch, digests: Sequence[str]) -> None:
        """A batch was accepted."""
        self._accepted.setdefault(batch.key, tuple(digests))


def digest(file: Path) -> str:
    """The SHA-256 (hex) of a file.

    Raises:
        OSError: if it can't be read
    """
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
