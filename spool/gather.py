"""Which files make a set, and is it whole?

A set is FI parts 1..n, for senders who sign beside the file FS parts 1..n, and the empty file that closes it:
GO (start) or TD (cancel).  A set that came by messages needs no GO, and is complete with its last part.  A file whose
prefix is none of these can belong to no set and closes one of its own, so that its sender gets an answer (ACRF-129)
instead of silence.  Pure: names in, findings out.
"""

from collections.abc import Collection
from enum import StrEnum

from schemas.codes import Code, Finding
from schemas.filename import FileName, Prefix, parse


class SignatureFiles(StrEnum):
    """Whether FS files belong to a set."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"


def closing_name(names: Collection[str]) -> str | None:
    """The file that closes a set: its TD, its GO, or a file that no set can take up; None while it is open."""
    for prefix in ("TD.", "GO."):
        for name in sorted(names):
            if name.startswith(prefix):
                return name
    return next((name for name in sorted(names) if not name.startswith(("FI.", "FS."))), None)


def naming_file(names: Collection[str]) -> str:
    """The name a set goes by in answers and listings: that of its closing file, else of its first part."""
    return closing_name(names) or min(names)


def is_complete(names: Collection[str], signatures: SignatureFiles) -> bool:
    """Whether a set is closed and nothing that may still come would change what it is."""
    closing = closing_name(names)
    if closing is None:
        return False
    parsed = parse(closing)
    if not isinstance(parsed, FileName) or parsed.prefix is not Prefix.GO:
        return True
    # An FS too many stays too many; whatever else is missing may still come.
    return all(finding.code is Code.FS_UNEXPECTED for finding in set_findings(names, signatures))


def is_complete_anyhow(names: Collection[str]) -> bool:
    """Whether that is so of whoever sends it, whether FS files belong to its sets or not."""
    # With every FS it is as whole where they may be there, and where they may not.
    return is_complete(names, SignatureFiles.REQUIRED)


def is_complete_without_start(names: Collection[str]) -> bool:
    """The same of a set that came by messages: closed by its TD, or every FI is there.

    A name that can belong to no set of several is complete by itself, and so is a set whose parts disagree.
    """
    if closing_name(names) is not None:
        return True
    parsed = [parse(name) for name in names if name.startswith("FI.")]
    well_formed = [name for name in parsed if isinstance(name, FileName)]
    announced = {name.parts or 1 for name in well_formed}
    return len(well_formed) < len(parsed) or len(announced) != 1 or len(well_formed) >= announced.pop()


def set_findings(names: Collection[str], signatures: SignatureFiles, *, started: bool = True) -> tuple[Finding, ...]:
    """What is wrong with the set as a set (annex 30: 120-124, 130, 277); empty if it is whole.

    Args:
        names: every file of the set; the closing name, if there is one, is well formed.
        signatures: whether FS files belong to it.
        started: whether a GO belongs to it; if none does, its first part says how many there are.
    """
    closing = closing_name(names) if started else naming_file(names)
    if closing is None:
        return (Finding(Code.GO_MISSING, "no GO file came for these files"),)
    if closing.startswith("TD."):
        return (Finding(Code.CANCELLED, "withdrawn by its TD file"),)
    parsed = parse(closing)
    parts = (parsed.parts if isinstance(parsed, FileName) else None) or 1
    findings = _part_findings(names, Prefix.FI, parts)
    present = any(name.startswith("FS.") for name in names)
    if signatures is SignatureFiles.NONE:
        if present:
            findings += (Finding(Code.FS_UNEXPECTED, "this sender signs otherwise than by FS files"),)
    elif present or signatures is SignatureFiles.REQUIRED:
        findings += _part_findings(names, Prefix.FS, parts)
    return findings


def _part_findings(names: Collection[str], prefix: Prefix, parts: int) -> tuple[Finding, ...]:
    count, numbering = {
        Prefix.FI: (Code.FI_COUNT, Code.FI_NUMBERING),
        Prefix.FS: (Code.FS_COUNT, Code.FS_NUMBERING),
    }[prefix]
    mine = sorted(name for name in names if name.startswith(f"{prefix}."))
    if len(mine) != parts:
        return (Finding(count, f"{len(mine)} {prefix} files where {parts} are announced"),)
    findings: tuple[Finding, ...] = ()
    numbers = set()
    for name in mine:
        parsed = parse(name)
        if not isinstance(parsed, FileName):
            findings += parsed
            continue
        numbers.add(parsed.part or 1)
        if (parsed.parts or 1) != parts:
            findings += (Finding(numbering, f"a {prefix} file announces {parsed.parts} parts, another file {parts}"),)
    if not findings and numbers != set(range(1, parts + 1)):
        findings = (Finding(numbering, f"the {prefix} files are not numbered 1 to {parts}"),)
    return findings
