"""What is the journal told of a set, by the envelope that lies beside its files?"""

from collections.abc import Mapping
from typing import Any

from schemas.filename import set_key
from spool.gather import naming_file
from spool.received_files import content_of
from spool.submissions import State, StoredFile, Submission


def submission_of(envelope: Mapping[str, Any], stored: tuple[StoredFile, ...]) -> Submission:
    """A set with these files, as it is recorded when custody of it was taken."""
    # An envelope of a time before there were messages has no ids and nothing found, and one of before there were roles
    # says not by whom.
    told = {key: value for key, value in envelope.items() if key not in {"message_ids", "found", "by"}}
    name = naming_file([file.name for file in stored])
    return Submission(
        **told,
        name=name,
        stem=set_key(name),
        content=content_of(stored),
        state=State.RECEIVED,
        attempts=0,
        files=stored,
        findings=tuple((code, words) for code, words in envelope.get("found", ())),
        message_id=envelope.get("message_ids", {}).get(name) or None,
    )
