"""What are workers told about a set: which bytes they get, what those are judged by?  Pure but for a look at a file.

What they do with it is :mod:`gateway.examination`'s.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime
from pathlib import Path

from config.settings import Settings
from gateway.examination import ContentRules, SignedPart, TrustRules
from gateway.parties import Sender, SignatureProfile
from gateway.signature_rules import sender_policy, signature_policy, type_formats
from schemas.filename import FileName
from schemas.message_type import MessageType
from schemas.validate import Limits
from spool.relied import EVIDENCE
from spool.submissions import StoredFile


def trust_rules(
    settings: Settings, sender: Sender, name: FileName, kinds: Collection[MessageType], at: datetime
) -> TrustRules:
    """What the signatures of a set are judged by.

    Args:
        settings: the site's.
        sender: whose set it is.
        name: the one that it goes by.
        kinds: the types of its purpose.
        at: when it was received.
    """
    trust = settings.trust
    policy = sender_policy(signature_policy(trust), sender, type_formats(kinds))
    archive = settings.spool.path / EVIDENCE
    return TrustRules(trust.authorities, at, policy, str(name.environment), name.purpose, archive)


def signed_part(folder: Path, file: StoredFile, profile: SignatureProfile) -> SignedPart | None:
    """What of one FI in ``folder`` is to be verified, as its sender signs; None if nothing is."""
    data = folder / file.name
    if profile is SignatureProfile.CHANNEL:
        return None
    if profile is SignatureProfile.ENVELOPED:
        return SignedPart(data, None)
    signature = folder / f"FS.{file.name.removeprefix('FI.')}"
    # Without FS only simulation, and types that may need none, get this far: the check of the set refused others.
    return SignedPart(data, signature) if signature.exists() else None


def content_rules(
    settings: Settings, purpose: str, parts: Sequence[StoredFile], day: date, mark: Callable[[str], str]
) -> ContentRules:
    """What the content of a set is judged by.

    Args:
        settings: the site's.
        purpose: the code in its name.
        parts: its FI files.
        day: of receipt.
        mark: what turns an INSS into its keyed hash.
    """
    # What a door has let in is not too large, whatever it may let in by now.
    most = max((settings.intake.max_file_bytes, *(part.size for part in parts)))
    limits = Limits(max_bytes=most, max_forms=settings.judging.max_forms)
    return ContentRules(purpose, limits, day, settings.schemas.folder, mark)
