"""What would it change if a type were added to those that there are?

For an operator who asks before it is done: a new purpose, type or version, terms that differ, and for each version what
its schema demands otherwise than the one it replaces, or, when it is a new one, than the version before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from schemas import difference, structure
from schemas.catalogue import Catalogue
from schemas.message_type import MessageType


@dataclass(frozen=True, slots=True)
class Change:
    """What changes (a purpose, a type, a version of it), for which element if it is one, and how."""

    what: str
    element: str
    words: str


def changes(kind: MessageType, known: Catalogue) -> Iterator[Change]:
    """Everything that would change for senders; nothing, when the type is there as it is.

    Args:
        kind: a type that fits its schemas
        known: the types that there are
    """
    of_purpose = [other for other in known if other.purpose == kind.purpose]
    earlier = next((other for other in of_purpose if other.root == kind.root), None)
    if not of_purpose:
        yield Change(kind.purpose, "", "new purpose")
    label = f"{kind.purpose} {kind.root}"
    if earlier is None:
        terms = (f"{name} {words}" for name, words in _terms(kind).items() if words)
        yield Change(label, "", "new type: " + "; ".join(terms))
    else:
        before, after = _terms(earlier), _terms(kind)
        for name in after:
            if before[name] != after[name]:
                yield Change(label, "", f"{name} {after[name] or 'none'}; was {before[name] or 'none'}")
    for version in kind.versions:
        yield from _version_changes(kind, version, earlier)


def _version_changes(kind: MessageType, version: str, earlier: MessageType | None) -> Iterator[Change]:
    path, starts = kind.versions[version], kind.starts[version]
    replaced = earlier.versions.get(version) if earlier else None
    if earlier is None or replaced is None:
        yield Change(path.stem, "", f"new version, from {starts} on")
        before = _before(kind, version, earlier)
        if before is not None:
            yield from _demand_changes(f"{path.stem}, beside {before.stem}", kind.root, before, path)
        return
    if earlier.starts[version] != starts:
        yield Change(path.stem, "", f"from {starts} on; was {earlier.starts[version]}")
    if replaced.read_bytes() != path.read_bytes():
        yield Change(path.stem, "", "replaced by another schema")
    yield from _demand_changes(path.stem, kind.root, replaced, path)


def _before(kind: MessageType, version: str, earlier: MessageType | None) -> Path | None:
    """The schema of the version before, the new ones counted in."""
    versions = {**(earlier.versions if earlier else {}), **kind.versions}
    return versions[max(older)] if (older := [other for other in versions if other < version]) else None


def _demand_changes(what: str, root: str, before: Path, after: Path) -> Iterator[Change]:
    try:
        found = list(difference.changes(structure.demands(before, root), structure.demands(after, root)))
    except structure.TooLargeError:
        yield Change(what, "", "too many elements to be compared")
        return
    yield from (Change(what, change.path, change.words) for change in found)


def _terms(kind: MessageType) -> dict[str, str]:
    """All that a sender or operator notices of a type, beside its versions, in words."""
    limits = kind.limits
    return {
        "title": kind.title,
        "namespace": kind.namespace or "",
        "forms": ", ".join(sorted(kind.form_codes)),
        "direction": kind.direction,
        "environments": ", ".join(sorted(kind.environments)),
        "signature": "required" if kind.signature_required else "optional",
        "signature formats": ", ".join(sorted(kind.signature_formats)),
        "employer at": ", ".join(kind.employer),
        "reference at": ", ".join(kind.reference),
        "rules": ", ".join(kind.rules),
        "most bytes": str(limits.max_bytes or ""),
        "most forms": str(limits.max_forms or ""),
        "most declarations": f"{limits.max_declarations} of {limits.declarations}" if limits.declarations else "",
        "identifiers": ", ".join(f"{name} ({number})" for name, number in sorted(kind.identifiers.items())),
    }
