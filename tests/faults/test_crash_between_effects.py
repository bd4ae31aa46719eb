"""No sequence of uploads, judgements, answers, messages and crashes between any two effects breaks a promise.

The real intake, custody, judge, pipeline and forwarder on a real spool and journal.  A crash is an exception that
nothing catches, out of a function of the path; everything is then opened again and recovered, as the daemon does.
"""

import asyncio
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Final, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from config.errors import TemporaryError
from config.settings import Settings
from gateway import breaker, parties, reconcile
from gateway.forward import Forwarder
from gateway.judge import Judge
from gateway.parties import Sender, SignatureProfile
from gateway.pipeline import Pipeline
from gateway.reception import Patience, Reception
from gateway.reconcile import Comparison, Tally
from gateway.routing_queues import EmbeddedQueue
from gateway.serving.intake import recover
from gateway.serving.judge import drop_forgotten, hasten
from gateway.site import make_site, open_site
from gateway.workers import Workers
from signing.own.own_keys import OwnKeys, open_keys
from spool import claims, submissions
from spool.custody import Custody
from spool.declarations import Backlog
from spool.intake import Intake, IntakeLimits
from spool.journal import now, open_journal
from spool.mailbox import Mailbox
from spool.outbox import Outbox
from spool.submissions import State
from tests.faults.halting import STEPS, Halting, Step
from tests.gateway_process import SENDER, USER, three_forms, today

BOX, OUT = Mailbox(SENDER, "IN"), Mailbox(SENDER, "OUT")
PATIENCE: Final = Patience(parts=60.0, start_file=3600.0)
ELSEWHERE: Final = ("Judge._signature", "publisher", "pika")
"""Of what is not on this path: no signature file, no broker."""

MORE: Final = {
    "first file of a set read-only": Step("after", "spool.custody:secured"),
    "day made, set not moved": Step("before", "spool.custody:move_durably"),
    "row written, not committed": Step("after", "spool.submissions:add"),
    "row committed": Step("after", "spool.custody:Custody._record"),
    "verdict written, not committed": Step("after", "spool.submissions:settle"),
    "effects done, not committed": Step("after", "spool.effects:done"),
    "repeat judged, nothing written": Step("before", "gateway.pipeline:Pipeline._give_again"),
    "removal forgotten, repeat not recorded": Step("after", "spool.outbox:Outbox.forget_removal"),
}


class CrashError(BaseException):
    """The process is gone; nothing may catch it."""


class Crashing(Halting):
    """Crashes where another would stand still."""

    def __init__(self) -> None:
        super().__init__("")
        mine = {name: step for name, step in STEPS.items() if not any(word in step.function for word in ELSEWHERE)}
        self._steps = mine | MORE
        self.armed = ""
        self.crashes = Counter[str]()

    @property
    def names(self) -> list[str]:
        """Every place where it can crash."""
        return [*self._steps]

    def arm(self, name: str) -> None:
        """Crash when the step comes; empty for none."""
        self.armed = name
        self._calls.clear()

    def _named(self, function: str) -> str:
        if not self.armed or self._steps[self.armed].function != function:
            return ""
        self._calls[self.armed] += 1
        return self.armed

    def _halt_if(self, name: str, moment: str, call: int) -> None:
        if name and self._steps[name] == Step(moment, self._steps[name].function, call):
            self.crashes[name] += 1
            self.armed = ""
            raise CrashError(name)


class NoWorkers:
    """Runs what workers do in this process; nothing here is anybody else's."""

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """What ``function`` answers."""
        return function(*args)


class Gateway:
    """A gateway from its start to its end, however that comes."""

    def __init__(self, site: Settings, place: Path, keys: OwnKeys) -> None:
        spool = site.spool.path
        self.journal = open_journal(place)
        backlog = Backlog(spool / "declarations", 1_000_000_000)
        self.intake = Intake(spool / "incoming", IntakeLimits(1_000_000, 500, 0, backlog=backlog))
        self.outbox = Outbox(spool / "answers")
        custody = Custody(spool / "custody", self.journal)
        zone = ZoneInfo(site.intake.time_zone)
        judge = Judge(site, self.journal, custody, cast("Workers", NoWorkers()))
        self.pipeline = Pipeline(self.journal, judge, keys, zone, self.outbox, spool / "declarations")
        self.reception = Reception(self.intake, custody, self.journal, PATIENCE, lambda: None)
        patience = breaker.Patience(0.0, 0.0, 3)
        self.forwarder = Forwarder(self.journal, EmbeddedQueue(self.journal), spool, patience, backlog)
        self.intake.recover()
        drop_forgotten(self.journal, spool / "declarations")
        hasten(self.journal)
        recover(custody, self.journal, spool)

    async def judge(self) -> None:
        """Judge whatever waits, each once."""
        with self.journal.read() as connection:
            due = claims.due(connection, now(), 100)
        for ticket, _ in due:
            try:
                await self.pipeline.settle(ticket)
            except TemporaryError:
                continue  # an earlier one of its name comes first

    def put(self, name: str, data: bytes) -> bool:
        """Upload a file as the door does; whether its sender is told OK."""
        upload = self.intake.begin(BOX, name)
        upload.write(0, data)
        self.intake.finish(upload)
        asyncio.run(self.reception.arrived(BOX, USER, name))
        return True

    def sweep_late(self) -> None:
        """Take whatever waits, as its time is up."""
        before = time.time() - PATIENCE.start_file - 1
        for path in self.intake.root.glob("*/*/set-*/*"):
            os.utime(path, (before, before))
        asyncio.run(self.reception.sweep())


class Promises(RuleBasedStateMachine):
    """Three names, two contents, whatever order."""

    site: ClassVar[Settings]
    template: ClassVar[Path]
    keys: ClassVar[OwnKeys]
    crashing: ClassVar[Crashing]
    numbers: ClassVar[Iterator[int]] = count(1)

    def __init__(self) -> None:
        super().__init__()
        folder = self.template.parent / str(next(self.numbers))
        folder.mkdir()
        self.place = Path(shutil.copy(self.template, folder))
        mine = self.site.spool.model_copy(update={"path": folder / "spool"})
        self.here = self.site.model_copy(update={"spool": mine})
        self.crashing.arm("")
        self.gateway = Gateway(self.here, self.place, self.keys)
        self.told: set[str] = set()
        self.fetched = Counter[str]()

    def act(self, work: Callable[[], object]) -> bool:
        """Do it; whether it came to its end.  After a crash there is a new gateway, with what the old one has left."""
        try:
            work()
        except CrashError:
            self.gateway.journal.close()
            self.gateway = Gateway(self.here, self.place, self.keys)
            return False
        return True

    @rule(name=st.sampled_from(["later", *STEPS, *MORE]))
    def crash(self, name: str) -> None:
        """Let the next one that comes by this step crash."""
        self.crashing.arm(name if name in self.crashing.names else "")

    @rule(
        number=st.sampled_from([1, 2, 3]), is_valid=st.booleans(), parts=st.sampled_from(["FI", "GO", "FI GO", "GO FI"])
    )
    def send(self, number: int, is_valid: bool, parts: str) -> None:
        """Send a set, its GO alone, or first."""
        stem = f"DIMN.{SENDER}.{today()}.{number:05}.R"
        data = three_forms() if is_valid else three_forms().replace(b">SU<", b">XX<")
        for part in parts.split():
            name = f"{part}.{stem}.1" + (".1" if part == "FI" else "")
            if self.act(lambda name=name, part=part: self.gateway.put(name, data if part == "FI" else b"")):  # type: ignore[misc]
                if part == "GO":
                    self.told.add(stem)
            else:
                return

    @rule()
    def sweep(self) -> None:
        """Take what waits."""
        self.act(self.gateway.sweep_late)

    @rule()
    def judge(self) -> None:
        """Judge what waits."""
        self.act(lambda: asyncio.run(self.gateway.judge()))

    @rule()
    def answer(self) -> None:
        """Place what is promised."""
        self.act(lambda: asyncio.run(self.gateway.pipeline.answer()))

    @rule()
    def forward(self) -> None:
        """Send what is promised."""
        self.act(lambda: asyncio.run(self.gateway.forwarder.turn()))

    @rule()
    def fetch(self) -> None:
        """The sender reads its answers that are whole, and deletes them."""
        names = {entry.name for entry in self.gateway.outbox.entries(OUT)}
        for name in sorted(name for name in names if name.startswith("FO.") and f"GO{name[2:]}" in names):
            self.fetched[name] += 1
            for each in (name, f"FS{name[2:]}", f"GO{name[2:]}"):
                self.gateway.outbox.remove(OUT, each)

    @rule(name=st.sampled_from([*STEPS, *MORE]), number=st.sampled_from([1, 2, 3]), is_valid=st.booleans())
    def die_on_the_way(self, name: str, number: int, is_valid: bool) -> None:
        """Send a set and let it go all its way, on which the first that comes by this step crashes."""
        self.crash(name)
        self.send(number, is_valid, "FI GO")
        for step in (self.sweep, self.judge, self.answer, self.forward):
            step()

    def reconcile(self) -> Tally:
        """What was done, of which nothing does not fit."""
        tally = Tally()
        comparison = Comparison(self.gateway.journal, self.here.spool.path, hashes=True, is_embedded=True, pauses=())
        assert [] == list(reconcile.reconcile(comparison, tally))
        return tally

    @invariant()
    def everything_fits(self) -> None:
        """At every moment, also in the middle of everything."""
        self.reconcile()

    def teardown(self) -> None:
        """Let it come to rest: every promise is kept, once."""
        self.crashing.arm("")
        self.gateway.sweep_late()
        while (tally := self.reconcile()).undecided:
            asyncio.run(self.gateway.judge())
        asyncio.run(self.gateway.pipeline.answer())
        asyncio.run(self.gateway.forwarder.turn())
        self.fetch()
        tally = self.reconcile()
        assert (0, 0, 0) == (tally.to_answer, tally.to_forward, tally.parked)
        assert [] == [*self.here.spool.path.glob("incoming/*/*/set-*/*"), *self.here.spool.path.glob("declarations/*")]
        with self.gateway.journal.read() as connection:
            found = list(submissions.search(connection, limit=1000))
        assert self.told <= {submission.stem for submission in found}
        decided = tally.states.get(State.ACCEPTED, 0) + tally.states.get(State.REJECTED, 0)
        own = [name for name in self.fetched if name.startswith("FO.ACRF.")]
        assert decided == len(own)
        repeats = tally.states.get(State.REPEATED, 0)
        assert sum(self.fetched[name] for name in own) <= decided + repeats
        self.gateway.journal.close()


@pytest.fixture
def crashing(tmp_path: Path) -> Iterator[Crashing]:
    """A site of one sender who signs nothing, and a way to crash whatever works on it."""
    site, journal = open_site(make_site(tmp_path / "site"))
    with journal.write() as connection:
        sender = Sender(SENDER, SignatureProfile.CHANNEL, "RTS", ("*",), active=True, any_employer=True)
        parties.add_sender(connection, sender)
    journal.close()
    crashing = Crashing()
    Promises.site, Promises.template, Promises.crashing = site, Path(str(site.journal.place)), crashing
    Promises.keys = open_keys(site.signing)
    crashing.install()
    yield crashing
    crashing.remove()


def test_no_sequence_of_crashes_breaks_a_promise(crashing: Crashing) -> None:
    """Whatever is sent, and wherever the gateway dies."""
    bounds = settings(
        max_examples=12,
        stateful_step_count=20,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    run_state_machine_as_test(Promises, settings=bounds)
    assert sum(crashing.crashes.values()) > 0
