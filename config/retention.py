"""What an operator can set of how long things are kept: what came, what was answered, and the evidence of both."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from config.section import Section, as_path, as_tuple

Span = Annotated[int, Field(ge=0, le=36_500)]
"""A number of days or years; 0 is for good."""

_DAYS_A_YEAR = 365

NOT_SETTLED = "nothing is purged that is not archived: name an archive, or say without_archive = true"
"""What there is to say to who wants to purge where that is not settled."""


class OfType(Section):
    """What is kept otherwise for one type of message (the purpose in its names); what is not named is as for all."""

    type: Annotated[str, Field(pattern="^[A-Z0-9]{4}$")]
    payload_days: Span | None = None
    answer_days: Span | None = None
    evidence_years: Span | None = None


class Retention(Section):
    """How long a submission's files, answers and evidence are kept after everything was done; 0 is for good.

    ``by_itself``: the gateway purges while it runs; else `gateway purge` does when it is called. ``archive`` is a
    folder into which the proof of a submission is exported before its files go; ``without_archive`` says that there is
    to be none. Where neither is said the gateway starts and purges nothing: no choice is no fault, or nobody could come
    from a release that knew only ``by_itself``, nor go back to it.
    """

    by_itself: bool = False
    payload_days: Span = 400
    answer_days: Span = 800
    evidence_years: Span = 10
    types: tuple[OfType, ...] = ()
    archive: Path | None = None
    without_archive: bool = False

    _lists = field_validator("types", mode="before")(as_tuple)
    _path = field_validator("archive", mode="before")(as_path)

    @model_validator(mode="after")
    def _names_each_once(self) -> "Retention":
        named = [each.type for each in self.types]
        if twice := {name for name in named if named.count(name) > 1}:
            raise ValueError(f"types: {min(twice)} is named twice")
        return self

    @model_validator(mode="after")
    def _says_where_proofs_stay(self) -> "Retention":
        if self.archive is not None and self.without_archive:
            raise ValueError("archive: there is one, and without_archive says that there is to be none")
        return self

    @property
    def is_archive_settled(self) -> bool:
        """Whether it is said where the proof of what goes stays, or that it need not; else no files go."""
        return self.archive is not None or self.without_archive

    @property
    def waits_for_a_choice(self) -> bool:
        """Whether the gateway should purge by itself, and does not, for nobody has said where proofs stay."""
        return self.by_itself and not self.is_archive_settled

    def spans(self, purpose: str) -> tuple[int, int, int]:
        """The days of payload, answers and evidence of a type, as they are set."""
        found = next((each for each in self.types if each.type == purpose), OfType(type="NONE"))
        payload, answer, years = (
            general if own is None else own
            for own, general in (
                (found.payload_days, self.payload_days),
                (found.answer_days, self.answer_days),
                (found.evidence_years, self.evidence_years),
            )
        )
        return payload, answer, years * _DAYS_A_YEAR
