"""What is different for users of a channel that signs for them, such as Isabel?  Pure.

Their files carry no FS: one that comes all the same is refused (121), as of every sender who signs by the channel.  And
annex 30 has codes of its own for such a channel; they take the place of the general ones where they say the same: 038
for a signature that is none, 039 for a user who may not send real files, 140 for a mailbox that is another sender's,
143 for what came before.  (141, a hash that does not fit, and 156, headers that nobody can read, are found at the
door.)
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from config.messages import MessageProfile
from gateway.parties import Sender, SignatureProfile
from schemas.codes import Code, Finding
from schemas.filename import Environment
from spool.submissions import Submission

_OF_THE_CHANNEL: Final = {
    Code.SENDER_NOT_OWNER: Code.MAILBOX_INVALID,
    Code.ALREADY_SENT: Code.DUPLICATE,
    Code.SIGNATURE_INVALID: Code.CHANNEL_SIGNATURE,
}


def has_profile(profiles: Sequence[MessageProfile], username: str) -> bool:
    """Whether ``username`` uses a channel that signs for its users."""
    return any(username in profile.users for profile in profiles)


def as_user(sender: Sender, submission: Submission, profiles: Sequence[MessageProfile]) -> Sender:
    """``sender`` as it counts for ``submission``: by the channel's signature, if its user's channel signs."""
    if submission.channel == "mq" and has_profile(profiles, submission.username):
        return replace(sender, signature=SignatureProfile.CHANNEL)
    return sender


def in_words_of_channel(
    findings: Sequence[Finding], submission: Submission, profiles: Sequence[MessageProfile]
) -> tuple[Finding, ...]:
    """``findings`` with the codes of the channel that brought ``submission``."""
    if submission.channel != "mq" or not has_profile(profiles, submission.username):
        return tuple(findings)
    codes = dict(_OF_THE_CHANNEL)
    if submission.directory == Environment.PRODUCTION.inbox:
        codes[Code.SENDER_NOT_AUTHORISED] = Code.USER_NOT_FOR_PRODUCTION
    return tuple(replace(finding, code=codes.get(finding.code, finding.code)) for finding in findings)


def found_at_the_door(submission: Submission) -> tuple[Finding, ...]:
    """What was found wrong with ``submission`` before it was taken into custody."""
    return tuple(Finding(Code(error_id.removeprefix("ACRF-")), words) for error_id, words in submission.findings)
