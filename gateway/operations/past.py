"""What can be asked of the past: every change of the register, and who exchanged data about a person."""

from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import Field

from gateway.operations.fields import Limit, inss_mark
from gateway.operations.operation import (
    PRINTABLE,
    Asked,
    Body,
    Change,
    Moment,
    Operation,
    Place,
    Read,
    Reason,
    Told,
    microseconds,
    moment,
    moment_or_none,
)
from gateway.register import disclosures, history
from gateway.register.actor import Refusal


class ToldChange(Told):
    """One act: what, to what, by whom, why, what of it changed, from what to what."""

    number: int
    at: Moment
    actor: str
    act: str
    subject: str
    reason: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class ToldChanges(Told):
    """Changes, the newest first."""

    changes: list[ToldChange]


class Past(Place):
    """Which changes: of one thing, such as ``person:annemie01``, or of all; since when."""

    subject: Annotated[str, Field(max_length=80, pattern=PRINTABLE)] | None = None
    since: Moment | None = None
    limit: Limit = 100


class Concerned(Body):
    """A person, by the INSS, which stays out of addresses and logs; the question itself is recorded."""

    inss: Annotated[str, Field(max_length=20)]
    reason: Reason


class ToldExchange(Told):
    """One exchange that concerned a person."""

    at: Moment
    sent_by: str
    message_type: str
    environment: str
    ticket: str
    form: int
    forwarded_to: str | None
    state: str | None
    forwarded_at: Moment | None


class ToldExchanges(Told):
    """Exchanges, the oldest first."""

    exchanges: list[ToldExchange]


def told_changes(found: Iterable[history.Change]) -> ToldChanges:
    """Changes in an answer."""
    return ToldChanges(
        changes=[
            ToldChange(
                number=item.number,
                at=moment(item.at),
                actor=item.actor,
                act=item.act,
                subject=item.subject,
                reason=item.reason,
                before=None if item.before is None else dict(item.before),
                after=None if item.after is None else dict(item.after),
            )
            for item in found
        ]
    )


def _changes(asked: Asked, place: Past) -> ToldChanges:
    subjects = None if place.subject is None else (place.subject,)
    since = 0 if place.since is None else microseconds(place.since)
    return told_changes(history.changes(asked.connection, subjects=subjects, since=since, limit=place.limit))


def _disclosures(asked: Asked, _: Place, body: Concerned) -> ToldExchanges | Refusal:
    mark = inss_mark(asked, body.inss)
    if isinstance(mark, Refusal):
        return mark
    return ToldExchanges(
        exchanges=[
            ToldExchange(
                at=moment(item.at),
                sent_by=item.sent_by,
                message_type=item.message_type,
                environment=item.environment,
                ticket=item.ticket,
                form=item.form,
                forwarded_to=item.forwarded_to,
                state=item.state,
                forwarded_at=moment_or_none(item.forwarded_at),
            )
            for item in disclosures.ask(asked.connection, asked.actor, mark, reason=body.reason)
        ]
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    Read("listChanges", "/v1/changes", "Changes of the register.", Past, ToldChanges, _changes, for_operators=True),
    Change(
        "askDisclosures",
        "POST",
        "/v1/disclosures",
        "Every exchange that concerned a person.",
        Place,
        Concerned,
        ToldExchanges,
        _disclosures,
        for_operators=True,
    ),
)
