"""No sequence of acts gives anybody more than the table says: a real journal beside a simple model of it."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.register import enterprises, persons, roles, technical, withdrawal
from gateway.register.actor import Actor, Person, Refusal
from gateway.register.enterprises import Kind
from gateway.register.persons import Edits
from gateway.register.standing import holdings
from spool.database import Begins, begin
from spool.journal import Journal
from spool.register_tables import persons as persons_table
from spool.register_tables import qualities, register_changes
from spool.tables import technical_users
from tests.enterprises_made import ENTERPRISES, HELPDESK, candidate, granted
from tests.register_model import RANKS, Model

_NAMES: Final = tuple(f"person{number:02}" for number in range(1, 9))
_QUALITIES: Final = (
    (Kind.EMPLOYER, ENTERPRISES[0], "100006"),
    (Kind.SOCIAL_SECRETARIAT, ENTERPRISES[0], ""),
    (Kind.EMPLOYER, ENTERPRISES[1], "100103"),
)
_WHY: Final[dict[str, str]] = {"reason": "because"}
_ACCESSES: Final = [frozenset({"*"}), frozenset({"DIMN", "DMFA"}), frozenset({"DIMN"}), frozenset[str]()]
_ALONE: Final = frozenset({"rae", "gl"})
_ENDS: Final = {"co-rae": roles.delete_co_rae, "co-gl": roles.delete_co_gl, "user": roles.delete_user}
_VERBS: Final = {
    "block": withdrawal.block,
    "unblock": withdrawal.unblock,
    "delete": withdrawal.delete,
    "lost": withdrawal.report_lost,
}

# Mostly somebody who is something, each role as often as the others; or else nothing would happen but refusals.
actors = st.runner().flatmap(lambda machine: machine.likely_actors())
names = st.sampled_from(_NAMES)
# Mostly somebody new is entered and somebody known is not.
whos = st.runner().flatmap(lambda machine: st.tuples(names, st.integers(0, 9)).map(machine.somebody))
places = st.sampled_from([ENTERPRISES[0], *ENTERPRISES])
numbers = st.sampled_from([1, 1, 1, 2, 2, 3, 99])
known_numbers = st.sampled_from([1, 2, 3])
accesses = st.sampled_from(_ACCESSES)
technicals = st.sampled_from(["payroll01", "payroll02", _NAMES[0]])
verbs = st.sampled_from(["block", "unblock", "unblock", "delete", "lost"])


class Register(RuleBasedStateMachine):
    """Anybody tries anything; the journal is one transaction that is rolled back at the end."""

    journal: Journal

    def __init__(self) -> None:
        super().__init__()
        self.connection = self.journal._engine.connect()
        begin(self.connection, Begins.WRITING)
        self.model = Model(set(ENTERPRISES))
        for of in ENTERPRISES:
            granted(enterprises.register_enterprise(self.connection, HELPDESK, of, "Verzonnen", **_WHY))
        for number, (kind, of, registration) in enumerate(_QUALITIES, 1):
            act = enterprises.announce_quality
            assert number == granted(act(self.connection, HELPDESK, of, kind, registration, **_WHY)).number
            self.model.qualities[number] = (of, "known")
        self.lines = self._lines()
        self.seen = self._state()

    def teardown(self) -> None:
        """Leave nothing."""
        self.connection.rollback()
        self.connection.close()

    def compare(self, expected: bool, act: Any, actor: str, *said: Any, **why: str) -> None:
        """Do it, and see that it is refused exactly where the model refuses, with nothing written then."""
        who: Actor = HELPDESK if actor == "operator" else Person(actor)
        before = self._touched()
        result = act(self.connection, who, *said, **why)
        assert expected == (not isinstance(result, Refusal)), (result, self.model)
        assert expected or before == self._touched()

    def likely_actors(self) -> st.SearchStrategy[str]:
        """Those who hold a role, by role; now and then anybody."""
        anybody = st.sampled_from(["operator", *_NAMES, "nobody01"])
        by_role = {role: sorted(name for name, kind, _ in self.model.held if kind == role) for role in RANKS}
        likely = [st.sampled_from(holders) for holders in by_role.values() if holders]
        return st.one_of(*likely, anybody)

    def somebody(self, drawn: tuple[str, int]) -> tuple[str, bool]:
        """A name, and whether it is said to be that of somebody new; one time in ten that is wrong."""
        name, chance = drawn
        return name, (name in self.model.people) == (chance == 0)

    # --- acts

    @initialize(staffs=st.sampled_from([True, True, True, False]), blocked=st.sets(names, max_size=3))
    def staff(self, staffs: bool, blocked: set[str]) -> None:
        """Begin with people in the first enterprise, two GLs among them, and an RAE in the second; or with nobody."""
        if staffs:
            access = _ACCESSES[1]
            for name, place in ((_NAMES[0], ENTERPRISES[0]), (_NAMES[5], ENTERPRISES[1])):
                self.name_rae("operator", place, (name, True))
            for number in (1, 2, 3):
                self.activate("operator", number)
            self.add_co_rae("operator", ENTERPRISES[0], (_NAMES[1], True))
            self.name_gl("operator", 1, (_NAMES[2], True), access)
            self.add_co_gl("operator", 1, (_NAMES[3], True))
            self.add_user("operator", 1, (_NAMES[4], True), _ACCESSES[2])
            self.name_gl("operator", 2, (_NAMES[6], True), access)
            for name in sorted(blocked):
                self.decide("operator", "block", name)

    @rule(actor=actors, place=places, who=whos)
    def name_rae(self, actor: str, place: str, who: tuple[str, bool]) -> None:
        """Somebody names an RAE."""
        expected = self.model.name(actor, "rae", place, who, frozenset())
        self.compare(expected, roles.name_rae, actor, place, _said(who), **_WHY)

    @rule(actor=actors, number=numbers, who=whos, access=accesses)
    def name_gl(self, actor: str, number: int, who: tuple[str, bool], access: frozenset[str]) -> None:
        """Somebody names a GL, or gives the present one another access."""
        expected = self.model.name(actor, "gl", number, who, access)
        self.compare(expected, roles.name_gl, actor, number, _said(who), access, **_WHY)

    @rule(actor=actors, place=places, who=whos)
    def add_co_rae(self, actor: str, place: str, who: tuple[str, bool]) -> None:
        """Somebody adds a Co-RAE."""
        expected = self.model.add(actor, "co-rae", place, who, frozenset())
        self.compare(expected, roles.add_co_rae, actor, place, _said(who), **_WHY)

    @rule(actor=actors, number=numbers, who=whos)
    def add_co_gl(self, actor: str, number: int, who: tuple[str, bool]) -> None:
        """Somebody adds a Co-GL."""
        expected = self.model.add(actor, "co-gl", number, who, frozenset())
        self.compare(expected, roles.add_co_gl, actor, number, _said(who), **_WHY)

    @rule(actor=actors, number=numbers, who=whos, access=accesses)
    def add_user(self, actor: str, number: int, who: tuple[str, bool], access: frozenset[str]) -> None:
        """Somebody adds a user."""
        expected = self.model.add(actor, "user", number, who, access)
        self.compare(expected, roles.add_user, actor, number, _said(who), access, **_WHY)

    @rule(actor=actors, number=numbers, name=names, access=accesses)
    def set_applications(self, actor: str, number: int, name: str, access: frozenset[str]) -> None:
        """Somebody changes the access of a user."""
        expected = self.model.set_access(actor, number, name, access)
        self.compare(expected, roles.set_applications, actor, number, name, access, **_WHY)

    @rule(actor=actors, role=st.sampled_from(sorted(_ENDS)), place=places, number=numbers, name=names)
    def end(self, actor: str, role: str, place: str, number: int, name: str) -> None:
        """Somebody ends a role."""
        where = place if role == "co-rae" else number
        expected = self.model.end(actor, role, where, name)
        self.compare(expected, _ENDS[role], actor, where, name, **_WHY)

    @rule(actor=actors, verb=verbs, name=names)
    def decide(self, actor: str, verb: str, name: str) -> None:
        """Somebody decides about an account."""
        expected = self.model.decide(actor, verb, name)
        self.compare(expected, _VERBS[verb], actor, name, **_WHY)

    @rule(actor=actors, name=names, language=st.sampled_from(["fr", "nl"]))
    def edit(self, actor: str, name: str, language: str) -> None:
        """Somebody changes a language."""
        self.compare(self.model.edit(actor, name), persons.edit, actor, name, Edits(language=language), **_WHY)

    @rule(actor=actors, number=known_numbers)
    def activate(self, actor: str, number: int) -> None:
        """Somebody activates a quality."""
        kind, of, registration = _QUALITIES[number - 1]
        expected = self.model.activate(actor, number)
        self.compare(expected, enterprises.activate_quality, actor, of, kind, registration, **_WHY)

    @rule(actor=actors, number=numbers)
    def close(self, actor: str, number: int) -> None:
        """Somebody closes a quality."""
        self.compare(self.model.close(actor, number), withdrawal.close_quality, actor, number, **_WHY)

    @rule(actor=actors, number=numbers, name=technicals)
    def name_technical(self, actor: str, number: int, name: str) -> None:
        """Somebody names a technical user."""
        expected = self.model.name_technical(actor, number, name)
        self.compare(expected, technical.name, actor, number, name, **_WHY)

    @rule(actor=actors, name=technicals)
    def delete_technical(self, actor: str, name: str) -> None:
        """Somebody deletes a technical user."""
        self.compare(self.model.delete_technical(actor, name), technical.delete, actor, name, **_WHY)

    @precondition(lambda self: self.model.holder("gl", 1) is not None)
    @rule(actor=actors, access=accesses)
    def widen_or_narrow(self, actor: str, access: frozenset[str]) -> None:
        """Somebody gives the GL another access, or takes all of it."""
        gl = (self.model.holder("gl", 1) or "", False)
        self._without_trace(partial(self.name_gl, actor, 1, gl, _ACCESSES[3]))
        self.name_gl(actor, 1, gl, access)

    @precondition(lambda self: len(self.model.held) >= 5)
    @rule(actor=actors, whom=names)
    def try_everything(self, actor: str, whom: str) -> None:
        """Somebody does each act, to somebody new or to somebody who may be known; nothing of it stays."""
        new = ("newcomer1", True)
        for number in (1, 2):
            self._without_trace(partial(self.name_gl, actor, number, new, _ACCESSES[0]))
            self._without_trace(partial(self.add_co_gl, actor, number, new))
            self._without_trace(partial(self.add_user, actor, number, new, _ACCESSES[2]))
            self._without_trace(partial(self.name_technical, actor, number, "payroll09"))
            self._without_trace(partial(self.set_applications, actor, number, whom, _ACCESSES[0]))
            for role in _ENDS:
                self._without_trace(partial(self.end, actor, role, ENTERPRISES[0], number, whom))
            self._without_trace(partial(self.add_user, actor, number, (whom, False), _ACCESSES[2]))
        for who in (new, (whom, False)):
            self._without_trace(partial(self.name_rae, actor, ENTERPRISES[0], who))
            self._without_trace(partial(self.add_co_rae, actor, ENTERPRISES[0], who))
        self._without_trace(partial(self.name_gl, actor, 1, (whom, False), _ACCESSES[3]))
        self._without_trace(partial(self.edit, actor, whom, "de"))
        for verb in _VERBS:
            self._without_trace(partial(self.decide, actor, verb, whom))

    # --- what is always so

    @invariant()
    def the_register_is_what_the_model_says(self) -> None:
        """Nobody is or has anything else; whatever has changed stands in the history."""
        state, lines = self._state(), self._lines()
        model = self.model
        assert model.people == state["people"]
        assert model.held == state["held"]
        assert model.access == state["access"]
        assert model.qualities == state["qualities"]
        assert model.technical == state["technical"]
        assert lines > self.lines or state == self.seen
        self.seen, self.lines = state, lines

    @invariant()
    def nobody_is_an_orphan(self) -> None:
        """Who has an account has a role, in his own enterprise, in a quality with a GL no narrower than he."""
        held = holdings(self.connection)
        people: dict[str, tuple[str, str]] = self._state()["people"]
        bounds = {item.quality: item.applications for item in held if item.role == "gl"}
        alone = [(item.role, item.enterprise, item.quality) for item in held if item.role in _ALONE]

        assert len(alone) == len(set(alone))
        assert {name for name, (_, state) in people.items() if state != "deleted"} == {item.username for item in held}
        for item in held:
            assert item.enterprise == people[item.username][0]
            if item.quality is not None:
                assert item.applications <= bounds[item.quality] or "*" in bounds[item.quality]

    # --- how it is looked at

    def _without_trace(self, trying: Callable[[], None]) -> None:
        model = self.model
        self.model = deepcopy(model)
        seen = self.seen, self.lines
        with self.connection.begin_nested() as step:
            trying()
            self.the_register_is_what_the_model_says()
            step.rollback()
        self.model, (self.seen, self.lines) = model, seen

    def _state(self) -> dict[str, Any]:
        held = holdings(self.connection)
        table, users = persons_table.c, technical_users.c
        columns = {
            "people": (table.username, table.enterprise, table.state),
            "qualities": (qualities.c.number, qualities.c.enterprise, qualities.c.state),
            "technical": (users.username, users.quality, users.state),
        }
        rows = {name: self.connection.execute(sa.select(*of)) for name, of in columns.items()}
        return {
            **{name: {key: (of, state) for key, of, state in found} for name, found in rows.items()},
            "held": {(item.username, item.role.value, item.quality or item.enterprise) for item in held},
            "access": {(item.username, item.quality): item.applications for item in held if item.quality is not None},
        }

    def _lines(self) -> int:
        return self.connection.execute(sa.select(sa.func.count()).select_from(register_changes)).scalar_one()

    def _touched(self) -> int:
        """How many rows were ever written over this connection."""
        touched: int = self.connection.connection.driver_connection.total_changes  # type: ignore[union-attr] # it is there
        return touched


def _said(who: tuple[str, bool]) -> Any:
    name, is_new = who
    return candidate(name) if is_new else name


@pytest.mark.sqlite_only  # numbers that come back after a rollback, and the driver's count of changes
def test_no_sequence_of_acts_gives_more_than_the_table(journal: Journal, tmp_path: Path) -> None:
    """The register refuses whatever the model refuses, does the rest, and is then what the model is."""

    class OnThisJournal(Register):
        pass

    OnThisJournal.journal = journal
    run_state_machine_as_test(
        OnThisJournal,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
