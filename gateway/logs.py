"""One JSON line an event, to stderr; the libraries' own loggers in the same form, and capped.

Values are codes, counts, tickets, sender numbers and checked file names.  JSON keeps a line a line, whatever a client
puts into a name.
"""

import logging
import sys
from typing import Final

import structlog

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
}


def configure_logging(level: str) -> None:
    """Send every event of ``level`` (debug, info, warning, error) and above to stderr."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(sort_keys=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in _CAPPED.items():
        logging.getLogger(name).setLevel(least)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
