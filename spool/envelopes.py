"""What is the journal told of a set, by the envelope that lies beside its files?"""

from collections.abc import Mapping
from typing import Any, Final

from schemas.filename import set_key
from spool.gather import naming_file
from spool.received_files import content_of
from spool.submissions import State, StoredFile, Submission

_TOLD: Final = ("ticket", "received_at", "channel", "sender", "directory", "username")


def submission_of(
    envelope: Mapping[str, Any], stored: tuple[StoredFile, ...], waited: int = 0, *, recovered: bool = False
) -> Submission:
    """A set with these files, as it is recorded when custody of it was taken.

    Args:
        envelope: what lies beside them; of a later release it may say more.
        stored: the files.
        waited: for how long (microseconds) the sender had waited; an envelope does not say it.
        recovered: whether it was found in custody, and not recorded when custody was taken.
    """
    # An envelope of a time before there were messages has no ids and nothing found.
    told = {key: envelope[key] for key in _TOLD}
    name = naming_file([file.name for file in stored])
    return Submission(
        **told,
        name=name,
        stem=set_key(name),
        content=content_of(stored),
        state=State.RECEIVED,
        attempts=0,
        files=stored,
        waited=waited,
        recovered=recovered,
        findings=tuple((code, words) for code, words in envelope.get("found", ())),
        message_id=envelope.get("message_ids", {}).get(name) or None,
    )
