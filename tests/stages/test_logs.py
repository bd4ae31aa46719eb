"""What reaches the log is one JSON line an event, without the libraries' tracebacks and quotations.

In a process of its own, as a gateway and its commands are: tests share their loggers.
"""

import hashlib
import json
import os
import pty
import re
import subprocess
import sys
from itertools import product

import pytest

from spool.tickets import new_ticket

SECRET = "a name that only a document says"

CONFIGURED = (
    "from config.logs import Logging; from gateway.logs import configure_logging; "
    "configure_logging(Logging(level='debug'))"
)
CAPPED = "from gateway.logs import cap_libraries; cap_libraries()"


def said(prepare: str, *calls: str) -> list[str]:
    """The lines on stderr after ``calls`` of the module ``logging``, in which ``fault`` is an exception."""
    script = f"import logging\n{prepare}\nfault = ValueError({SECRET!r})\n" + "\n".join(calls)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stderr.splitlines()


@pytest.mark.parametrize("prepare", [CONFIGURED, CAPPED])
def test_what_libraries_say_about_signatures_is_not_written(prepare: str) -> None:
    """Whether logging is configured, as in the gateway, or not, as in its workers and commands."""
    calls = (
        f"logging.getLogger({logger!r}).{level}({SECRET!r}, exc_info=fault)"
        for logger in ("pyhanko_certvalidator.revinfo.validate_crl", "pyhanko.sign", "signxml")
        for level in ("info", "warning", "error")
    )

    assert [] == said(prepare, *calls)


def test_of_an_exception_in_a_library_only_its_kind_is_written() -> None:
    """On one line, as JSON."""
    [line] = said(CONFIGURED, "logging.getLogger('asyncio').error('it failed', exc_info=fault, stack_info=True)")
    event = json.loads(line)

    assert ("it failed", "ValueError") == (event["event"], event["fault"])
    assert SECRET not in line


def test_an_event_without_an_exception_names_no_kind() -> None:
    """Only what is there is written."""
    [line] = said(CONFIGURED, "logging.getLogger('a.library').warning('a word')")

    assert {"event", "level", "timestamp"} == json.loads(line).keys()


def test_the_log_goes_to_stdout_where_that_is_set() -> None:
    """Ours and the libraries', and then nothing is on stderr; a line about a stage says which."""
    script = (
        "import logging, structlog; from config.logs import Logging; from gateway.logs import configure_logging\n"
        "configure_logging(Logging(stream='stdout'))\n"
        "logging.getLogger('a.library').warning('a word')\n"
        "structlog.get_logger('gateway.x').info('submission.held', state='quarantined')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    library, ours = map(json.loads, done.stdout.splitlines())

    assert ("", "a word") == (done.stderr, library["event"])
    assert ("judged", "quarantined") == (ours["stage"], ours["outcome"])


def test_a_number_of_a_person_is_not_written_however_a_client_has_spelt_it() -> None:
    """With the separators that people use or none, and between letters; the rest of the name stays."""
    separated = [f"85{a}07{a}30{b}033{c}28" for a, b, c in product(("", ".", " ", "-", "_"), repeat=3)]
    assert {"(an INSS)"} == set(veiled(*separated, "85.07.30 -033.28"))
    within = ("X85073003328.pdf", "85073003328x.pdf", "FI.85073003328.R", "a_850730_03328_b")
    assert ["X(an INSS).pdf", "(an INSS)x.pdf", "FI.(an INSS).R", "a_(an INSS)_b"] == veiled(*within)


def test_what_only_looks_like_a_number_of_a_person_is_written() -> None:
    """Names that are accepted, tickets, days, digests and addresses; and numbers of other lengths or check digits."""
    names = [
        f"{prefix}.DIMN.{sender:06}.{day}.{number:05}.R{part}"
        for prefix, part in (("FI", ".1.1"), ("FS", ".9.9"), ("GO", ""), ("ACRF", ""))
        for sender in (100_000, 850_730, 999_999)
        for day in (20260101, 20261121, 20281231)
        for number in (1, 3328, 33_280, 99_999)
    ]
    numbers = [f"850730033{check:02}" for check in range(100) if check != 28]
    others = ["185073003328", "850730033281", "2026-11-21T23:17:20.073003Z", "10.10.100.110:33033"]
    digests = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(2000)]
    digests.append("a85073003328" + "b" * 52)
    tickets = [new_ticket() for _ in range(2000)]
    written = [*names, *numbers, *others, *digests, *tickets]
    assert written == veiled(*written)


def test_no_value_of_an_event_is_too_short_to_be_looked_at() -> None:
    """Neither one that is nothing but the number, nor what a library says; a shorter one holds none."""
    [ours, theirs] = said(
        f"{CONFIGURED}\nimport structlog",
        "structlog.get_logger('x').info('85073003328', file='85073003328', part='8507300332', size=85073003328)",
        "logging.getLogger('a.library').warning('85073003328')",
    )
    event = json.loads(ours)
    told = [event[key] for key in ("event", "file", "part", "size")]

    assert ["(an INSS)", "(an INSS)", "8507300332", 85073003328] == told
    assert "(an INSS)" == json.loads(theirs)["event"]


def veiled(*values: str) -> list[str]:
    """The values as they are written."""
    script = (
        f"{CONFIGURED}\nimport json, sys, structlog\nstructlog.get_logger('x').info('a.b', files=json.load(sys.stdin))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(values), capture_output=True, text=True, check=True
    )
    files: list[str] = json.loads(done.stderr)["files"]
    return files


def test_on_a_terminal_a_line_is_for_people() -> None:
    """With colours for what warns, and what a client has put into a name shown by its number."""
    ours, theirs = pty.openpty()
    said_so = "structlog.get_logger('gateway.lot').warning('a.b', file='x\\x1b[2Jy')"
    script = f"{CONFIGURED}\nimport structlog\n{said_so}"
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        subprocess.run([sys.executable, "-c", script], stderr=theirs, check=True)
        os.close(theirs)
        said = terminal.read(10_000).decode()
    assert re.fullmatch(r"[0-9-]{10} [0-9:.]{12} \x1b\[33mwarning \x1b\[0m a\.b file=x\\x1b\[2Jy\r\n", said), said
