"""Spans of submissions, from a real journal to a real receiver of OTLP; one that is away, slow or hostile."""

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator, Iterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import web
from structlog.testing import capture_logs

from config.errors import ConfigurationError
from config.traces import Traces
from gateway.traces.following import Tracer, faults, open_tracer
from gateway.traces.spans import is_traced, trace_number
from spool import closing, effects, submissions
from spool.effects import Kind
from spool.journal import Journal, now
from spool.submissions import Ruling, State, Submission
from spool.tables import events
from tests.trace_collector import TraceCollector, attributes, collecting

MARK = "zzmarkzz"
CHECKS = ["sender", "set", "repeats", "signature"]


@pytest.fixture
def collector() -> Iterator[TraceCollector]:
    """A collector that takes what comes."""
    with collecting() as started:
        yield started


@asynccontextmanager
async def tracing(journal: Journal, collector: TraceCollector, **rules: Any) -> AsyncIterator[Tracer]:
    """A tracer that has begun."""
    async with open_tracer(Traces(endpoint=collector.endpoint, **rules), journal) as tracer:  # type: ignore[arg-type]
        await tracer.turn()
        yield tracer


def come(journal: Journal, ticket: str, outcome: State, codes: tuple[str, ...] = ()) -> None:
    """A submission that came, was judged, answered, forwarded and closed."""
    name = f"GO.DIMN.123456.20261121.{ticket[-5:]}.T.1"
    came = Submission(ticket, now() - 1_000_000, "sftp", "123456", MARK, "INTEST", name, ticket, "", State.RECEIVED, 0)
    facts = {"checks": CHECKS, "began_at": now() - 500_000, "took": dict(zip(CHECKS, (1, 2, 3, 4), strict=True))}
    ruling = Ruling(outcome, findings=tuple((code, MARK) for code in codes), facts=facts)
    with journal.write() as connection:
        submissions.add(connection, came)
        submissions.hold(connection, ticket, state=State.HELD, attempts=0, next_attempt_at=0, reason=MARK)
        assert submissions.settle(connection, ticket, ruling)
        submissions.note(connection, ticket, "answer.placed", stem=MARK)
        if outcome is State.ACCEPTED:
            effects.plan(connection, ticket, Kind.FORWARD, [{}, {}])
            effects.done(connection, effects.pending(connection, Kind.FORWARD, 10))
        else:
            closing.close_done(connection, [ticket])


async def test_a_submission_is_one_trace_with_a_span_for_each_stage(
    journal: Journal, collector: TraceCollector
) -> None:
    """The checks stand below the judgement, all else below the submission; and no words of people are in it."""
    async with tracing(journal, collector):
        come(journal, "T000000000001", State.ACCEPTED)
        come(journal, "T000000000002", State.REJECTED, ("ACRF-125",))

    spans = collector.of("T000000000001")
    checks = [f"check {name}" for name in CHECKS]
    assert {"submission", "custody", "held", "judge", *checks, "answer", "forward"} == set(spans)
    assert {trace_number("T000000000001").to_bytes(16)} == {span.trace_id for span in spans.values()}
    root, judge = spans["submission"], spans["judge"]
    for name, span in spans.items():
        expected = b"" if span is root else judge.span_id if name in checks else root.span_id
        assert expected == span.parent_span_id
        assert span.start_time_unix_nano <= span.end_time_unix_nano
    assert root.start_time_unix_nano < judge.start_time_unix_nano < judge.end_time_unix_nano < root.end_time_unix_nano
    assert 2_000 == spans["check set"].end_time_unix_nano - spans["check set"].start_time_unix_nano
    assert {
        "gateway.ticket": "T000000000001",
        "gateway.channel": "sftp",
        "gateway.outcome": "accepted",
        "gateway.type": "DIMN",
        "gateway.environment": "T",
    } == attributes(judge)
    assert 2 == attributes(spans["forward"])["gateway.declarations"]
    refused = collector.of("T000000000002")
    assert ["ACRF-125"] == attributes(refused["judge"])["gateway.codes"]
    assert "forward" not in refused
    assert "batch-gateway" == collector.resources[0]["service.name"]
    assert MARK not in "".join(map(str, collector.spans))


async def test_who_tells_again_tells_the_same(journal: Journal, collector: TraceCollector) -> None:
    """Two processes that follow one journal send the same spans; what is new is sent once by each."""
    async with tracing(journal, collector) as one, tracing(journal, collector):
        come(journal, "T000000000001", State.ACCEPTED)
        make_older(journal)
        await one.turn()
        first = len(collector.spans)
        await one.turn()
        assert 10 == first == len(collector.spans)

    assert 20 == len(collector.spans)
    assert 10 == len({span.span_id for span in collector.spans})


def make_older(journal: Journal) -> None:
    """Let all events be so old that none with an earlier number can follow."""
    with journal.write() as connection:
        connection.execute(sa.update(events).values(at=events.c.at - 10_000_000))


async def test_a_share_of_the_submissions_is_traced(journal: Journal, collector: TraceCollector) -> None:
    """Whole ones, and everybody finds the same."""
    tickets = [f"T{number:012}" for number in range(20)]
    wanted = {ticket for ticket in tickets if is_traced(ticket, 0.5)}
    async with tracing(journal, collector, share=0.5):
        for ticket in tickets:
            come(journal, ticket, State.ACCEPTED)

    assert 0 < len(wanted) < len(tickets)
    assert wanted == {attributes(span)["gateway.ticket"] for span in collector.spans}
    assert [] == [ticket for ticket in tickets if is_traced(ticket, 0)]
    assert tickets == [ticket for ticket in tickets if is_traced(ticket, 1)]


async def test_what_happened_long_before_is_not_told(journal: Journal, collector: TraceCollector) -> None:
    """As when another process followed for hours, and this one takes its place."""
    async with tracing(journal, collector):
        come(journal, "T000000000001", State.ACCEPTED)
        with journal.write() as connection:
            connection.execute(sa.update(events).values(at=events.c.at - 3_600_000_000))

    assert [] == collector.spans


def counted(heard: list[MutableMapping[str, Any]], event: str) -> int:
    """The sum of the counts of an event."""
    return sum(line["count"] for line in heard if line["event"] == event)


async def unavailable(_: web.Request) -> web.StreamResponse:
    """A collector that asks to come again."""
    return web.Response(status=503)


async def test_a_collector_that_was_away_gets_what_may_wait_and_the_rest_is_counted(
    journal: Journal, collector: TraceCollector
) -> None:
    """The oldest go first; said once is that it is away, and once that it is back."""
    collector.answer = unavailable
    with capture_logs() as heard:
        async with tracing(journal, collector, max_waiting=13) as tracer:
            for number in range(2):
                come(journal, f"T{number:012}", State.ACCEPTED)
            make_older(journal)
            await tracer.turn()
            await tracer.turn()
            assert [] == collector.spans
            collector.answer = None
            await tracer.turn()

    assert 13 == len(collector.spans) == counted(heard, "traces.sent")
    assert 7 == counted(heard, "traces.dropped")
    assert ["HTTP status 503"] == [line["reason"] for line in heard if line["event"] == "traces.unavailable"]
    assert 1 == sum(line["event"] == "traces.resumed" for line in heard)


async def refusing(_: web.Request) -> web.StreamResponse:
    """A collector that knows no such path."""
    return web.Response(status=404, text=MARK)


async def redirecting(_: web.Request) -> web.StreamResponse:
    """A collector that would have them sent to somebody else."""
    return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/"})


async def babbling(request: web.Request) -> web.StreamResponse:
    """A collector whose answer never ends."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x" * 65_536)


async def hanging(_: web.Request) -> web.StreamResponse:
    """A collector that never answers."""
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize("answer", [refusing, redirecting, unavailable, babbling, hanging])
async def test_a_gateway_that_stops_waits_no_longer_than_the_settings_say(
    journal: Journal, collector: TraceCollector, answer: Any
) -> None:
    """Whatever the collector does; what was not sent is counted, and no word of the collector is repeated."""
    collector.answer = answer
    with capture_logs() as heard:
        async with asyncio.timeout(20), tracing(journal, collector, stop_seconds=0.3):
            come(journal, "T000000000001", State.ACCEPTED)

    assert 10 == counted(heard, "traces.dropped")
    assert MARK not in json.dumps(heard)


async def test_rejected_spans_are_counted(journal: Journal, collector: TraceCollector) -> None:
    """And what is no answer at all counts as one, for the status says that they were taken."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"\x0a\x02\x08\x03" if collector.headers[1:] else b"no protobuf")

    collector.answer = answer
    with capture_logs() as heard:
        async with tracing(journal, collector) as tracer:
            come(journal, "T000000000001", State.ACCEPTED)
            make_older(journal)
            await tracer.turn()
            come(journal, "T000000000002", State.ACCEPTED)

    assert [10, 7] == [line["count"] for line in heard if line["event"] == "traces.sent"]
    assert 3 == counted(heard, "traces.dropped")


async def test_headers_are_sent_and_may_be_credentials(
    journal: Journal, collector: TraceCollector, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of systemd; without them it is a fault of the settings."""
    headers: Mapping[str, Any] = {"Authorization": "credential:collector"}
    rules = Traces.model_validate({"endpoint": collector.endpoint, "headers": headers}, strict=False)
    assert ["traces.headers.Authorization: credential:collector: systemd hands out no credentials here"] == [
        line.partition(" (")[0] for line in faults(rules)
    ]
    tmp_path.joinpath("collector").write_text("Bearer invented\n")
    tmp_path.joinpath("collector").chmod(0o600)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    async with open_tracer(rules, journal) as tracer:
        await tracer.turn()
        come(journal, "T000000000001", State.ACCEPTED)

    assert [] == faults(rules)
    assert "Bearer invented" == collector.headers[0]["Authorization"]


async def test_without_the_extra_traces_are_a_fault_of_the_settings(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That says which extra; without traces nobody asks for it."""
    import sys  # noqa: PLC0415 -- what is imported is what is tested

    assert importlib.util.find_spec("opentelemetry") is not None
    for name in [name for name in sys.modules if name.startswith(("opentelemetry", "gateway.traces.collector"))]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "gateway.traces.collector", None)
    assert [] == faults(Traces())
    with pytest.raises(ConfigurationError, match=r"batch-gateway\[traces\]"):
        async with open_tracer(Traces.model_validate({"endpoint": "http://127.0.0.1:9/"}, strict=False), journal):
            pass


@pytest.mark.parametrize(
    ("endpoint", "fault"),
    [
        ("http://collector.example/v1/traces", "must be https"),
        ("http://10.0.0.1:4318/v1/traces", "must be https"),
        ("https://user:secret@collector.example/", "belongs into headers"),
    ],
)
def test_an_endpoint_that_would_give_secrets_away_is_a_fault(endpoint: str, fault: str) -> None:
    """Off this machine only with TLS; and no password in an address, which is shown."""
    with pytest.raises(ValueError, match=fault):
        Traces.model_validate({"endpoint": endpoint}, strict=False)
