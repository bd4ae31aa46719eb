"""An event's digest covers what it says, or what it said: never something else beside it.  Pure."""

import hashlib
from dataclasses import replace

from spool.chain import Link, Place, canonical, digest_of, misfit

PLACE = Place(4, "ab" * 32)
TRUE = Link(5, "T" * 13, 1_700_000_000_000_000, "verdict.rejected", {"codes": ["ACRF-133"]})


def written(link: Link) -> Link:
    """The event with its digest, after ``PLACE``."""
    return replace(link, digest=digest_of(PLACE.digest, link))


def test_an_event_whose_facts_are_gone_fits() -> None:
    """Its digest is the one that it had with them."""
    content = hashlib.sha256(canonical(TRUE)).hexdigest()
    bare = replace(written(TRUE), facts={}, content=content)
    assert misfit(PLACE, written(TRUE)) is None
    assert misfit(PLACE, bare) is None


def test_facts_beside_the_digest_of_others_are_refused() -> None:
    """The digest is right, and it is not theirs: without this they could say anything."""
    content = hashlib.sha256(canonical(TRUE)).hexdigest()
    forged = replace(written(TRUE), facts={"codes": []}, content=content)
    assert digest_of(PLACE.digest, forged) == forged.digest
    found = misfit(PLACE, forged)
    assert found is not None
    assert (5, "event 5 was changed: it has facts that no digest covers") == (found.number, found.words)
    # Also the true ones: where they stand, nothing stands for them.
    assert misfit(PLACE, replace(forged, facts=TRUE.facts)) is not None
