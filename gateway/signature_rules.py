"""What may the signatures of one sender look like, and are there any?  Pure.

Out of what the site accepts, what the sender is held to and what the types of a purpose take.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from config.settings import Trust
from gateway.parties import Sender, SignatureProfile
from schemas.filename import Environment
from schemas.message_type import MessageType
from signing.evidence import Format
from signing.policy import Leniency, Policy
from spool.gather import SignatureFiles


def signature_policy(trust: Trust) -> Policy:
    """What the settings accept and tolerate in a signature."""
    return Policy(
        formats=frozenset(map(Format, trust.formats)),
        leniencies=frozenset(map(Leniency, trust.leniencies)),
        ahead=timedelta(seconds=trust.signed_ahead_seconds),
        before=timedelta(days=trust.signed_before_days),
        later_revocation_counts=trust.later_revocation == "refuse",
    )


def sender_policy(site: Policy, sender: Sender, of_type: frozenset[Format]) -> Policy:
    """What signatures of one sender for one type of message may look like.

    Only formats that the site accepts, the sender is held to and the type takes; the sender's leniencies besides the
    site's.  A sender held to nothing, and a type that names nothing (empty), leave the choice to the others.
    """
    formats = site.formats & (sender.formats or site.formats) & (of_type or site.formats)
    return replace(site, formats=formats, leniencies=site.leniencies | sender.leniencies)


def type_formats(types: Iterable[MessageType]) -> frozenset[Format]:
    """The formats that a type of one purpose takes; empty for all.

    Types of one purpose are told apart by their content, which is not read before its signature is verified: what one
    of them takes is let through.
    """
    named = [kind.signature_formats for kind in types]
    return frozenset(Format(word) for words in named for word in words) if all(named) else frozenset()


def signature_files(profile: SignatureProfile, inbox: str, kinds: Iterable[MessageType] = ()) -> SignatureFiles:
    """Whether a set in ``inbox`` of a sender who signs so has FS files: only if they are what it signs by.

    They are optional in simulation, and where ``kinds``, the types of the set's purpose, are known and one of them
    needs no signature: which type it is stands in the content, which is not read before.
    """
    if profile is not SignatureProfile.DETACHED:
        return SignatureFiles.NONE
    unsigned = inbox == Environment.SIMULATION.inbox or not all(kind.signature_required for kind in kinds)
    return SignatureFiles.OPTIONAL if unsigned else SignatureFiles.REQUIRED
