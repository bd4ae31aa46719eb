"""Which stage of the way of a file is a line of the log about, and how did that stage end?

So that one question finds every line of a stage, or every end that is no good one, whatever the events are called.
The words are those of the metric ``gateway_submissions`` where both count the same.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage, and its outcome: a word, or what the ``field`` of the event says."""

    name: str
    outcome: str = ""
    field: str = ""


STAGES: Final[Mapping[str, Stage]] = {
    "sftp.upload.finished": Stage("uploaded", "finished"),
    "sftp.upload.failed": Stage("uploaded", "failed"),
    "sftp.upload.torn": Stage("uploaded", "torn"),
    "custody.taken": Stage("received", "taken"),
    "custody.recovered": Stage("received", "recovered"),
    "custody.failed": Stage("received", "failed"),
    "submission.judged": Stage("judged", field="verdict"),
    "submission.held": Stage("judged", field="state"),
    "judge.failed": Stage("judged", "failed"),
    "answer.placed": Stage("answered", "placed"),
    "answer.published": Stage("answered", "published"),
    "answer.not_placed": Stage("answered", "failed"),
    "answer.not_published": Stage("answered", "failed"),
    "declarations.forwarded": Stage("forwarded", "confirmed"),
    "declarations.put_off": Stage("forwarded", "put_off"),
    "declaration.parked": Stage("forwarded", "parked"),
    "submission.closed": Stage("closed", "done"),
    "sftp.download": Stage("fetched", "read"),
}
"""The events that are about a stage, by name."""


def add_stage(event: MutableMapping[str, Any]) -> None:
    """Say in ``event`` which stage it is about, and how that ended, if it is about one."""
    stage = STAGES.get(event["event"])
    if stage is not None:
        event["stage"] = stage.name
        event["outcome"] = stage.outcome or str(event.get(stage.field, ""))
