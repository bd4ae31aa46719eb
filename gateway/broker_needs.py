"""What does a site need at its broker, and which users of the message door does its register not know?

What is needed follows from [mq], [back] and [routing], as far as they are enabled there, and from the senders that have
the channel of messages.  How it is made and looked at is ``channels.mq.declaring``'s.
"""

from collections.abc import Iterator, Sequence

from channels.mq import topology
from channels.mq.topology import Topology
from config.messages import MessageProfile
from config.settings import Settings
from gateway import parties
from gateway.openings import Channel
from gateway.parties import Sender
from spool.journal import Journal


def needed(settings: Settings, journal: Journal) -> Topology:
    """What a site needs at its broker.

    Raises:
        JournalError: the senders cannot be read now.
    """
    wanted = topology.routing(settings.routing) if settings.routing.declare else Topology()
    if settings.mq.enabled:
        by_messages = senders_by_message(journal)
        numbers = [one.number for one in by_messages]
        wanted += topology.door(settings.mq) + topology.answers(settings.mq, numbers)
        wanted += topology.notices(settings.mq, numbers)
        wanted += topology.entrances(settings.mq, (user for one in by_messages for user in one.users))
    if settings.back.enabled:
        wanted += topology.way_back(settings.back)
    return wanted


def senders_by_message(journal: Journal) -> list[Sender]:
    """The senders who have the channel of messages.

    Raises:
        JournalError: they cannot be read now.
    """
    return [one for one in _senders(journal) if _has_channel(one)]


def unknown_users(settings: Settings, journal: Journal) -> dict[str, str]:
    """Those who are named in a channel profile and can't come in, each with the reason in words.

    A misspelt name harms nobody but its owner, whose files are then asked for a signature.

    Raises:
        JournalError: the senders cannot be read now.
    """
    if not (settings.mq.enabled and settings.mq.profiles):
        return {}
    return dict(strangers(settings.mq.profiles, _senders(journal)))


def strangers(profiles: Sequence[MessageProfile], senders: Sequence[Sender]) -> Iterator[tuple[str, str]]:
    """The users of ``profiles`` who are none of ``senders``' with the channel of messages, and why.  Pure."""
    owners = {user: sender for sender in senders for user in sender.users}
    for profile in profiles:
        for user in profile.users:
            owner = owners.get(user)
            if owner is None:
                why = "is no technical user of a sender: see `gateway user list`"
            elif not _has_channel(owner):
                why = f"is of sender {owner.number}, which has no channel mq: see `gateway sender list`"
            else:
                continue
            yield user, f"mq.profiles: {user}, named in {profile.name}, {why}"


def _senders(journal: Journal) -> list[Sender]:
    with journal.read() as connection:
        return parties.all_senders(connection)


def _has_channel(sender: Sender) -> bool:
    return any(opening.channel is Channel.MQ for opening in sender.openings)
