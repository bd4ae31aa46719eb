"""How does the proof of a ticket get out of a site, for whoever asks, or into the archive before its files go?

What is in it says :mod:`gateway.bundle`. Its events have to be sealed first. In the archive a proof stands whole under
its name, or not at all: what a kill leaves is hidden, and the next try writes over it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from config.settings import Settings
from gateway import bundle, reliance
from gateway.asic import Writing
from signing.durable import sync_folder
from signing.own.own_keys import OwnKeys
from signing.trust import authorities
from spool.checkpoints import CHECKPOINTS, Checkpoints
from spool.custody import Custody
from spool.files import make_folder, sync_file
from spool.journal import Journal
from spool.reconciliation_pages import day_of
from spool.relied import EVIDENCE, Relied
from spool.submissions import Submission


@dataclass(frozen=True, slots=True)
class Exporter:
    """Writes proofs of a site's tickets, signed by ``keys``."""

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
