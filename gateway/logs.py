"""One JSON line an event, to stderr or stdout; libraries' own loggers in the same form, capped, without tracebacks.

Values are codes, counts, tickets, sender numbers and checked file names.  JSON keeps a line a line, whatever a client
puts into a name.  On a terminal the line is one for people.  What is written can be changed while it runs.
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import structlog

from config.logs import Logging
from gateway.log_lines import Line, as_words
from gateway.log_rules import LEVELS, Gate
from gateway.log_stages import add_stage
from schemas import identifiers

log = structlog.get_logger()

# Their messages quote what clients and documents say, or are tracebacks over signatures that are merely bad.
_CAPPED: Final = {
    "aiohttp": logging.CRITICAL,
    "asyncio": logging.ERROR,
    "asyncssh": logging.CRITICAL,
    "pika": logging.CRITICAL,
    "pyhanko": logging.CRITICAL,
    "pyhanko_certvalidator": logging.CRITICAL,
    "signxml": logging.CRITICAL,
    "alembic": logging.WARNING,
    "sqlalchemy": logging.WARNING,
    "urllib3": logging.WARNING,
    "uvicorn": logging.CRITICAL,
}

# As it is written, wherever it stands in a name; that it is one the check digits say.  A digest is taken as a whole:
# in one of some thousands such digits come about by chance.
_INSS: Final = re.compile(
    r"(?<![0-9A-Za-z])[0-9a-f]{32,}(?![0-9A-Za-z])"
    r"|(?<![0-9])(?:[0-9]{2}[._ -]?){3}[._ -]?[0-9]{3}[._ -]?[0-9]{2}(?![0-9])"
)
_INSS_DIGITS: Final = 11

Listener = Callable[[Mapping[str, Any]], None]
_listeners: Final[list[Listener]] = []
_gate = Gate(Logging())


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Tell ``listener`` of every event for the time of the block, also of those below the level that is written."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def _tell(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for listener in tuple(_listeners):
        listener(event)
    return event


def cap_libraries() -> None:
    """Let the libraries say less than they would.

    Asked for in every process that judges signatures, also where nothing else of logging is configured: Python writes
    what has no handler to stderr, from warnings on.
    """
    for name, least in _CAPPED.items():
        logging.getLogger(name).setLevel(least)


def configure_logging(rules: Logging) -> None:
    """Send every event that the ``rules`` let through to their stream, and nothing else."""
    stream = sys.stdout if rules.stream == "stdout" else sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _without_inss,
        # Behind it: of all values only this is the clock's.
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render = _for_people if stream.isatty() else _for_programs
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_without_traceback, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.getLogger().handlers[:] = [handler]
    change_logging(rules)
    cap_libraries()
    logging.captureWarnings(capture=True)
    sys.excepthook = _failed
    threading.excepthook = _thread_failed
    # Our own lines pass the library's records by, which would cost more than the lines themselves.
    lines = _Lines(handler)
    structlog.configure(
        processors=[_tell, _let_through, _with_stage, *shared, render],
        logger_factory=lambda *_name: lines,
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        cache_logger_on_first_use=True,
    )


class _Lines:
    """Writes lines that are ready where a handler writes, in turn with it."""

    def __init__(self, handler: logging.StreamHandler[Any]) -> None:
        self._handler = handler

    def write(self, line: str) -> None:
        """One line; where it cannot be written, nobody can be told."""
        with suppress(OSError, ValueError):
            self._handler.acquire()
            try:
                self._handler.stream.write(f"{line}\n")
                self._handler.stream.flush()
            finally:
                self._handler.release()

    debug = info = warning = error = critical = exception = write


def change_logging(rules: Logging) -> None:
    """Let through what these ``rules`` say from now on; of libraries never less than warnings, which quote enough."""
    global _gate  # noqa: PLW0603 - every event of the process goes through one gate
    _gate = Gate(rules)
    logging.getLogger().setLevel(max(LEVELS[rules.level], logging.WARNING))


def _let_through(_: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    left_out = _gate.admits(str(event.get("event")), LEVELS[method])
    if left_out is None:
        raise structlog.DropEvent
    if left_out:
        event["left_out"] = left_out
    return event


def _with_stage(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    add_stage(event)
    return event


_encode: Final = json.JSONEncoder(default=repr).encode


def _for_programs(_: Any, __: str, event: structlog.typing.EventDict) -> str:
    return _encode(event)


def _for_people(_: Any, __: str, event: structlog.typing.EventDict) -> str:
    return as_words(Line("", event), coloured=True)


def _failed(kind: type[BaseException], fault: BaseException, traceback: TracebackType | None) -> None:
    """What nobody caught, without its words: they may quote a document."""
    if issubclass(kind, KeyboardInterrupt):
        return
    log.error("gateway.failed", fault=kind.__name__, where=_place(traceback))


def _thread_failed(args: threading.ExceptHookArgs) -> None:
    log.error("gateway.failed", fault=args.exc_type.__name__, where=_place(args.exc_traceback))


def _place(traceback: TracebackType | None) -> str:
    """The innermost place in the code."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return "" if traceback is None else f"{Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}"


def _without_inss(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Words in the place of an INSS, such as one that a client has put into the name of a file."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _veiled(value)
        elif isinstance(value, list | tuple):
            event[key] = [_veiled(item) if isinstance(item, str) else item for item in value]
    return event


def _veiled(text: str) -> str:
    # Most values are words of ours, too short for so many digits.
    if len(text) < _INSS_DIGITS:
        return text
    return _INSS.sub(lambda found: "(an INSS)" if _is_inss(found[0]) else found[0], text)


def _is_inss(written: str) -> bool:
    number = re.sub("[._ -]", "", written)
    return len(number) == _INSS_DIGITS and not identifiers.check(identifiers.Kind.INSS, number)


def _without_traceback(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Of an exception only its kind: its words may quote a document, and a traceback is more than a line."""
    kind, *_rest = event.pop("exc_info", None) or (None,)
    event.pop("stack_info", None)
    if kind is not None:
        event["fault"] = kind.__name__
    return event
