"""No sequence of mandates given and ended lets anybody speak for more employers than a simple model of the rules."""

from contextlib import ExitStack
from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from gateway.employers import Standing
from gateway.register import mandates, speaking
from gateway.register.actor import Person, Refusal, Why
from gateway.register.mandates import Means
from gateway.registrations import Period
from schemas.identifiers import Kind
from schemas.inspection import Employer
from spool.journal import Journal
from tests.enterprises_made import ONSS_NUMBERS, undone
from tests.market_made import GL, market_in

_WHY: Final = {"reason": "because"}
_MOMENTS: Final = range(1, 10)

employers = st.sampled_from([0, 1])
providers = st.sampled_from([0, 1, 2])
moments = st.sampled_from(_MOMENTS)
ends = st.none() | moments


class Mandates(RuleBasedStateMachine):
    """The people of two employers and of three providers give and end mandates, of their own and of each other's.

    The model has, for each moment and employer, who its secretariat is and who its other provider: one of each at most.
    """

    journal: Journal

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.market = market_in(self.stack.enter_context(undone(self.journal)))
        self.employers = (self.market.first, self.market.second)
        self.providers = (self.market.secretariat, self.market.provider, self.market.rival)
        self.model: dict[tuple[int, int, Means], int] = {}
        self.had: set[tuple[int, int]] = set()
        self.given: list[mandates.Mandate] = []

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.stack.close()

    def _people(self, who: int) -> str:
        return (self.employers[0].gl, self.employers[1].co_gl, GL, self.employers[0].user)[who]

    @rule(
        who=st.integers(0, 3),
        employer=employers,
        provider=providers,
        start=moments,
        end=ends,
        means=st.sampled_from(Means),
    )
    def give(self, who: int, employer: int, provider: int, start: int, end: int | None, means: Means) -> None:
        """Given, if the actor is the employer's and may, the provider is one of these means, and there is room."""
        act = mandates.affiliate if means is Means.SECRETARIAT else mandates.notify_mandate
        of, to = self.employers[employer].quality, self.providers[provider]
        given = act(self.market.connection, Person(self._people(who)), of, to, Period(start, end), **_WHY)
        time = [at for at in _MOMENTS if start <= at and (end is None or at < end)]
        fits = (provider == 0) == (means is Means.SECRETARIAT)
        room = not any((at, of, means) in self.model for at in time)
        if who != employer or not fits or not time or not room:
            assert isinstance(given, Refusal)
            assert (given.why is Why.NOT_ALLOWED) == (who == 3 and employer == 0)
            return
        assert not isinstance(given, Refusal)
        self.given.append(given)
        self.had.add((of, to))
        self.model |= dict.fromkeys(((at, of, means) for at in time), to)

    @rule(who=st.integers(0, 3), which=st.integers(0, 20), at=moments)
    def end(self, who: int, which: int, at: int) -> None:
        """Ended, if the actor is of either side and may, and it lasts longer."""
        if not self.given:
            return
        place = which % len(self.given)
        one = self.given[place]
        ended = mandates.end_mandate(self.market.connection, Person(self._people(who)), one.number, at, **_WHY)
        mine = who == 2 or one.employer == (self.employers[who].quality if who < 2 else 0)
        if not mine or (one.period.end is not None and one.period.end <= at):
            assert isinstance(ended, Refusal)
            return
        assert not isinstance(ended, Refusal)
        self.given[place] = ended
        for moment in _MOMENTS:
            if moment >= at and moment in one.period:
                del self.model[moment, one.employer, one.means]

    @invariant()
    def everybody_speaks_for_whom_the_model_says(self) -> None:
        """At every moment, for every employer and provider."""
        named = [Employer(Kind.ONSS, number) for number in ONSS_NUMBERS]
        for provider in self.providers:
            for at in _MOMENTS:
                found = speaking.mandated(self.market.connection, provider, named, at)
                for employer, staff in zip(named, self.employers, strict=True):
                    now = {self.model.get((at, staff.quality, means)) for means in Means}
                    before = (staff.quality, provider) in self.had
                    expected = Standing.LAPSED if before else Standing.NEVER
                    assert found[employer] is (Standing.MANDATED if provider in now else expected)


def test_no_sequence_of_acts_mandates_anybody_the_rules_do_not(market_hall: Journal) -> None:
    """Whoever tries whatever in whatever order."""
    Mandates.journal = market_hall
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    bounds = settings(
        max_examples=40, stateful_step_count=15, deadline=None, database=None, suppress_health_check=checks
    )
    run_state_machine_as_test(Mandates, settings=bounds)
