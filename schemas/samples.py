"""Are the samples beside a type what their names say?

``samples/valid_….xml`` has to be accepted and ``samples/invalid_….xml`` refused, by the same judgement that a sender's
file gets, on a day when every version counts.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

from schemas.message_type import MessageType
from schemas.validate import Limits, Validated, validate

_LIMITS: Final = Limits(max_bytes=1024**3, max_forms=1_000_000)


def faults(kind: MessageType, folder: Path, day: date) -> Iterator[str]:
    """A line for each sample of a type that isn't what its name says.

    Args:
        kind: a type that fits its schemas
        folder: where its ``type.toml`` is
        day: to judge on, unless a version begins to count later
    """
    latest = max(day, *kind.starts.values())
    for sample in sorted(folder.glob("samples/*.xml")):
        expected = sample.name.partition("_")[0]
        if expected not in {"valid", "invalid"}:
            continue
        with sample.open("rb") as content:
            result = validate(content, [kind], _LIMITS, lambda _: None, latest)
        if isinstance(result, Validated) != (expected == "valid"):
            why = "it is accepted" if isinstance(result, Validated) else str(result.findings[0].detail)
            yield f"{sample}: not {expected}: {why}"
