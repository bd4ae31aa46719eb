"""How does one process learn at once that another has written work for it?

PostgreSQL tells those who listen when a transaction commits (NOTIFY).  A SQLite file has a number that changes with
every commit of another connection; looking at it costs next to nothing, so it is looked at ten times a second.  What is
lost, as when the database was away, is found by the rounds' own looks at the journal.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final, cast

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine

log = structlog.get_logger()

_CHANNEL: Final = "batch_gateway"
_LOOK: Final = 0.1
_WAIT: Final = 0.5
_RETRY: Final = 2.0


class Topic(StrEnum):
    """What there is to do: judge, place, publish or forward, or fetch revocation data."""

    JUDGE = "judge"
    ANSWER = "answer"
    PUBLISH = "publish"
    FORWARD = "forward"
    FETCH = "fetch"


def wake(connection: Connection, topic: Topic) -> None:
    """Wake whoever does this as soon as the transaction commits."""
    if connection.dialect.name == "postgresql":
        connection.execute(_NOTIFY, {"channel": _CHANNEL, "topic": topic})


_NOTIFY: Final = sa.text("SELECT pg_notify(:channel, :topic)")


@contextmanager
def listening(engine: Engine, ring: Callable[[Topic], None]) -> Iterator[None]:
    """Call ``ring`` for what other processes write, for the time of the block, in a thread of its own."""
    closing = threading.Event()
    listen = _listen if engine.dialect.name == "postgresql" else _look
    thread = threading.Thread(target=_keep, args=(listen, engine, ring, closing), name="wake-ups", daemon=True)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        thread.join()


_TOPICS: Final = frozenset(map(str, Topic))

Listen = Callable[[Engine, Callable[[Topic], None], threading.Event], None]


def _keep(listen: Listen, engine: Engine, ring: Callable[[Topic], None], closing: threading.Event) -> None:
    while not closing.is_set():
        try:
            listen(engine, ring, closing)
        except Exception as fault:
            # Whatever it is: the rounds look by themselves meanwhile, only later.
            log.warning("wakeups.interrupted", fault=type(fault).__name__)
            closing.wait(_RETRY)


def _listen(engine: Engine, ring: Callable[[Topic], None], closing: threading.Event) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"LISTEN {_CHANNEL}")
        for topic in Topic:  # what was told while nobody listened
            ring(topic)
        driver = cast("Any", connection.connection.driver_connection)
        while not closing.is_set():
            for notice in driver.notifies(timeout=_WAIT, stop_after=1):
                if notice.payload in _TOPICS:
                    ring(Topic(notice.payload))


def _look(engine: Engine, ring: Callable[[Topic], None], closing: threading.Event) -> None:
    with engine.connect() as connection:
        # The driver itself is asked: this goes on for as long as the process runs.
        driver = cast("Any", connection.connection.driver_connection)
        seen = None
        while not closing.is_set():
            (version,) = driver.execute("PRAGMA data_version").fetchone()
            if version != seen:
                seen = version
                for topic in Topic:
                    ring(topic)
            closing.wait(_LOOK)
