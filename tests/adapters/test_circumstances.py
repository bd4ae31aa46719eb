"""What the journal says of a submission is the same whether one statement finds nothing, or each is asked for."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from gateway import circumstances
from gateway.circumstances import Circumstances
from spool import holds, purges, submissions
from spool.holds import Selection, Word
from spool.journal import Journal, now
from spool.purges import Kind, Plan
from spool.submissions import State, Submission

pytestmark = pytest.mark.every_database

WORD = Word("anna", "payroll asked")
THIS = Submission(
    "M" * 13, 1000, "sftp", "123456", "u", "IN", "GO.DIMN.1.R", "DIMN.1.R", "c", State.RECEIVED, 0, files=()
)
SELECTIONS = (
    Selection(ticket=THIS.ticket), Selection(sender="123456"), Selection(purpose="DIMN"), Selection(environment="R"),
    Selection(sender="654321"), Selection(environment="T"), Selection(),
)  # fmt: skip


class TakenBackError(Exception):
    """So that the next example finds an empty journal."""


@dataclass(frozen=True)
class Placed:
    """A hold: what it selects, when it ends (microseconds from now), whether it was released."""

    selection: Selection
    ends_in: int | None
    is_released: bool


@st.composite
def others(draw: st.DrawFn) -> Submission:
    """Another submission, mostly of the same name, that came before, with or after this one."""
    prefix = draw(st.sampled_from(["GO", "TD"]))
    return replace(
        THIS,
        ticket=draw(st.sampled_from("ABXYZ")) * 13,
        name=f"{prefix}.DIMN.1.R",
        received_at=draw(st.sampled_from([999, 1000, 1001])),
        sender=draw(st.sampled_from(["123456", "123456", "654321"])),
        directory=draw(st.sampled_from(["IN", "IN", "INTEST"])),
        stem=draw(st.sampled_from(["DIMN.1.R", "DIMN.1.R", "DIMN.2.R"])),
        state=draw(st.sampled_from(State)),
    )


HOLDS = st.builds(
    Placed, st.sampled_from(SELECTIONS), st.sampled_from([None, -1_000_000, 3_600_000_000]), st.booleans()
)
NOTHING_HELPS = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)


def each_asked_for(connection: Connection, submission: Submission) -> Circumstances:
    """The circumstances, statement by statement."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(holds, "is_plain", lambda *_: False)
        return circumstances.of(connection, submission)


@NOTHING_HELPS
@given(
    st.sampled_from(["GO", "TD"]),
    st.lists(others(), max_size=3, unique_by=lambda one: one.ticket),
    st.lists(HOLDS, max_size=2),
    st.booleans(),
    st.booleans(),
)
def test_one_statement_overlooks_nothing(
    journal: Journal, prefix: str, came: list[Submission], placed: list[Placed], is_dropped: bool, are_gone: bool
) -> None:
    """Whatever else came, is held, was dropped, or is kept no longer."""
    this = replace(THIS, name=f"{prefix}.DIMN.1.R")
    with pytest.raises(TakenBackError), journal.write() as connection:
        submissions.add(connection, this, *came)
        for one in placed:
            ends_at = None if one.ends_in is None else now() + one.ends_in
            hold = holds.place(connection, one.selection, WORD, 0, ends_at)
            if one.is_released:
                holds.release(connection, hold, 1)
        if is_dropped:
            submissions.hold(
                connection, this.ticket, state=State.QUARANTINED, attempts=9, next_attempt_at=0, reason="KeyError"
            )
            assert holds.drop(connection, this.ticket, WORD, 1)
        if are_gone:
            purges.plan(connection, Kind.ANSWERS, [Plan(one.ticket, 1, 1) for one in came], 1)

        expected = each_asked_for(connection, this)
        assert expected == circumstances.of(connection, this)
        if holds.is_plain(connection, this, now()):
            assert (Circumstances(), True) == (expected, holds.is_alone(connection, this))
        raise TakenBackError


def test_of_most_one_statement_is_enough(journal: Journal) -> None:
    """One that came alone is plain, also beside others of other names, holds that are over, and drops of others."""
    other = replace(THIS, ticket="A" * 13, stem="DIMN.2.R", state=State.QUARANTINED)
    with journal.write() as connection:
        submissions.add(connection, THIS, other)
        holds.place(connection, Selection(), WORD, 0, 1)
        holds.release(connection, holds.place(connection, Selection(), WORD, 0, None), 1)
        assert holds.drop(connection, other.ticket, WORD, 1)
        assert holds.is_plain(connection, THIS, now())
        assert not holds.is_plain(connection, replace(THIS, stem="DIMN.2.R"), now())
