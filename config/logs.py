"""What an operator can set of the log: how much of it is written, and where."""

from typing import Annotated, Literal

from pydantic import Field

from config.section import Section

Level = Literal["debug", "info", "warning", "error"]
EventRule = Annotated[str, Field(pattern=r"^[a-z_0-9]+(\.[a-z_0-9]+)*(\.\*)?$")]
"""An event's name, or ``word.*`` for all whose names begin so."""


class Logging(Section):
    """From which level on events are written, some of them from another; of the sampled ones, one in so many.

    ``stream`` is where `gateway serve` writes them.
    """

    stream: Literal["stderr", "stdout"] = "stderr"
    level: Level = "info"
    levels: dict[EventRule, Level] = Field(default_factory=dict)
    sampled: dict[EventRule, Annotated[int, Field(ge=2, le=1_000_000)]] = Field(default_factory=dict)
