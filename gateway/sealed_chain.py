"""Does a chain of events fit the checkpoints that seal it, one after the other?

The steps of that, for whoever has the events and checkpoints from somewhere: the journal (:mod:`gateway.sealing`), or a
file that was carried away (:mod:`gateway.chain_file`). What doesn't fit is answered in words. Of the events no more is
kept than numbers and digests, of one checkpoint at a time.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from signing.own.check import fault_of
from spool import checkpoints
from spool.chain import BEGINNING, Link, Place, misfit
from spool.checkpoints import Checkpoint, Sealed


@dataclass(frozen=True, slots=True)
class Reached:
    """How far everything fits: the last checkpoint, its digest (hex), and the last event under it."""

    ordinal: int = 0
    digest: str = BEGINNING
    place: Place = field(default_factory=Place)


def checkpoint_fault(sealed: Sealed, reached: Reached, certificates: Collection[bytes]) -> str:
    """What is wrong with the checkpoint after ``reached``: signature, timestamp, predecessor; empty if nothing is.

    Args:
        certificates: those that may have signed it, DER
    """
    ordinal = reached.ordinal + 1
    if wrong := fault_of(sealed.checkpoint.statement(), sealed.signature, certificates):
        return f"checkpoint {ordinal}: {wrong}"
    if sealed.checkpoint.previous != reached.digest:
        return f"checkpoint {ordinal} does not follow checkpoint {reached.ordinal}"
    return ""


def follow_sealed(checkpoint: Checkpoint, links: Iterable[Link], reached: Reached) -> Reached | str:
    """Follow ``links`` from ``reached`` on, which are all the events under ``checkpoint``: how far it is then."""
    place, places = reached.place, list[Place]()
    for link in links:
        wrong = misfit(place, link)
        if wrong is not None:
            return wrong.words
        place = Place(link.number, link.digest)
        places.append(place)
    if not places or len(places) < checkpoint.events:
        return f"events up to {checkpoint.last} are missing, which checkpoint {checkpoint.ordinal} has sealed"
    if checkpoints.make(checkpoint.ordinal, checkpoint.previous, places, checkpoint.at) != checkpoint:
        return (
            f"events {checkpoint.first} to {checkpoint.last} are not those that "
            f"checkpoint {checkpoint.ordinal} has sealed"
        )
    return Reached(checkpoint.ordinal, checkpoint.digest, place)
