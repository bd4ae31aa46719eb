"""How do the proof of a ticket and the whole chain get out of a site, for whoever asks, or a proof into the archive?

What is in them say :mod:`gateway.bundle` and :mod:`gateway.chain_file`. The events have to be sealed first. In the
archive, where it comes to before its files go, a proof stands whole under its name, or not at all: what a kill leaves
is hidden, and the next try writes over it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from config.settings import Settings
from gateway import bundle, chain_file, reliance
from gateway.asic import Writing
from gateway.chain_file import Closing
from gateway.sealing import UnsealableError, sealed_as
from signing.durable import sync_folder
from signing.own.own_keys import OwnKeys
from signing.trust import authorities
from spool import chain, checkpoints
from spool.chain import Link
from spool.checkpoints import CHECKPOINTS, Checkpoints, Sealed
from spool.custody import Custody
from spool.files import make_folder, sync_file
from spool.journal import Journal, now
from spool.reconciliation_pages import day_of
from spool.relied import EVIDENCE, Relied
from spool.submissions import Submission

_BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class Exporter:
    """Writes proofs of a site's tickets, or its chain, signed by ``keys``."""

    settings: Settings
    journal: Journal
    keys: OwnKeys

    def write(self, submission: Submission, target: Path) -> list[str]:
        """Write the proof of ``submission`` to ``target``, a new file; answers what is missing in it, in words.

        Raises:
            UnsealableError: an event is under no checkpoint.
            OSError, TemporaryError: it cannot be written now.
        """
        spool = self.settings.spool.path
        folder = Custody(spool / "custody", self.journal).folder(submission.ticket, submission.received_at)
        accepted = authorities.current(self.settings.trust.authorities)
        find = partial(reliance.find, Relied(spool / EVIDENCE), accepted)
        missing: list[str] = []

        def fill(container: Writing) -> None:
            with self.journal.read() as connection:
                missing.extend(bundle.write(connection, folder, submission, find, container))
                bundle.write_events(connection, Checkpoints(spool / CHECKPOINTS), submission.ticket, container)

        bundle.save(target, fill, self._sign)
        return missing

    def write_chain(self, target: Path, *, with_facts: bool) -> Closing:
        """Write the whole chain, as far as it is sealed, to ``target``, a new file; answers what was signed at its end.

        Raises:
            UnsealableError: a checkpoint is gone, or is none.
            OSError, TemporaryError: it cannot be written now.
        """
        return chain_file.write(target, self._sealed(), now(), self._sign, with_facts=with_facts)

    def _sealed(self) -> Iterator[Sealed | Link]:
        """Every checkpoint there is now, each with its events behind it; the journal is held up for none of them."""
        files = Checkpoints(self.settings.spool.path / CHECKPOINTS)
        with self.journal.read() as connection:
            newest = checkpoints.latest(connection)
        last = 0
        while last < newest.last:
            with self.journal.read() as connection:
                recorded = checkpoints.sealing(connection, last + 1)
            if recorded is None:
                raise UnsealableError(f"checkpoint {newest.ordinal} is no longer recorded in the journal")
            yield sealed_as(files, recorded.ordinal)
            yield from self._events(last, recorded.last)
            last = recorded.last

    def _events(self, number: int, last: int) -> Iterator[Link]:
        """The events behind the one with ``number``, up to ``last``."""
        while number < last:
            with self.journal.read() as connection:
                links = [link for link in chain.after(connection, number, _BATCH) if link.number <= last]
            yield from links
            number = links[-1].number if links else last

    def archive(self, submission: Submission, root: Path) -> Path:
        """See to it that the proof of ``submission`` is in the archive at ``root``; it is on the disk afterwards.

        Raises:
            FileNotFoundError: there is no such archive; it is made by nobody but an operator.
            UnsealableError, OSError, TemporaryError: as :meth:`write`.
        """
        if not root.is_dir():
            raise FileNotFoundError(2, "there is no such folder")
        target = root / day_of(submission.received_at) / f"{submission.ticket}.asice"
        if target.exists():
            return target
        make_folder(target.parent)
        beside = target.with_name(f".{target.name}")
        beside.unlink(missing_ok=True)
        self.write(submission, beside)
        beside.chmod(0o440)
        sync_file(beside)
        beside.rename(target)
        sync_folder(target.parent)
        return target

    def _sign(self, manifest: bytes) -> bytes:
        moment = datetime.now(UTC)
        return self.keys.at(moment).sign(manifest, moment).cms()
