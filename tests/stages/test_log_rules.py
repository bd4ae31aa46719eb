"""Which events are written, from which level on, and how many stand for more; and how libraries' lines are treated."""

import json
import logging

import pytest
from pydantic import ValidationError

from config.logs import Logging
from gateway.log_rules import Gate, faults_of
from tests.stages.test_logs import said

INFO, WARNING, ERROR, DEBUG = logging.INFO, logging.WARNING, logging.ERROR, logging.DEBUG


def test_the_longest_rule_that_fits_counts() -> None:
    """An event by name, then its nearest beginning, then the level of all."""
    gate = Gate(
        Logging(level="warning", levels={"sftp.*": "info", "sftp.login.*": "error", "sftp.login.ended": "debug"})
    )
    assert [None, 0] == [gate.admits("custody.taken", INFO), gate.admits("custody.taken", WARNING)]
    assert 0 == gate.admits("sftp.open", INFO)
    assert [None, 0] == [gate.admits("sftp.login.refused", WARNING), gate.admits("sftp.login.refused", ERROR)]
    assert 0 == gate.admits("sftp.login.ended", DEBUG)
    assert None is gate.admits("sftpx", INFO)


def test_one_in_so_many_is_written_and_says_how_many_were_left_out() -> None:
    """Each event counts for itself, and what warns is always written."""
    gate = Gate(Logging(sampled={"sftp.*": 3, "sftp.open": 2}))
    assert [0, None, None, 2, None, None, 2] == [gate.admits("sftp.download", INFO) for _ in range(7)]
    assert [0, None, 1, None, 1] == [gate.admits("sftp.open", INFO) for _ in range(5)]
    assert [0] * 5 == [gate.admits("sftp.download", WARNING) for _ in range(5)]
    assert [0] * 5 == [gate.admits("custody.taken", INFO) for _ in range(5)]


def test_a_rule_that_fits_no_event_is_a_fault() -> None:
    """It would keep what it should let pass, or the other way round."""
    known = {"sftp.open", "custody.taken"}
    assert [] == list(faults_of(Logging(levels={"sftp.*": "error", "custody.taken": "error"}), known))
    rules = Logging(levels={"sftp.opne": "error"}, sampled={"sft.*": 5, "sftp": 2})
    assert [
        "levels: there is no event sftp.opne",
        "sampled: there is no event sft.*",
        "sampled: there is no event sftp",
    ] == [line.removeprefix("logging.") for line in faults_of(rules, known)]


@pytest.mark.parametrize("wrong", [{"levels": {"a": "loud"}}, {"sampled": {"a": 1}}, {"levels": {"*": "info"}}])
def test_settings_of_another_form_are_refused(wrong: dict[str, object]) -> None:
    """One in one is no sampling, and all events have a setting of their own."""
    with pytest.raises(ValidationError):
        Logging.model_validate(wrong)


def test_rules_change_while_it_runs_and_libraries_stay_quiet() -> None:
    """Below warnings libraries say nothing even where everything is written; what warns comes as JSON."""
    lines = said(
        "from config.logs import Logging; from gateway.logs import configure_logging, change_logging\n"
        "import structlog, warnings, sys\n"
        "from gateway import lot\n"  # any module of a room, whose name the logger has
        "log = structlog.get_logger('gateway.lot')\n"
        "configure_logging(Logging())",
        "log.debug('sftp.open')",
        "change_logging(Logging(level='error', levels={'sftp.*': 'debug'}, sampled={'sftp.open': 2}))",
        "for _ in range(3): log.debug('sftp.open')",
        "log.warning('custody.taken')",
        "change_logging(Logging(level='debug'))",
        "logging.getLogger('asyncssh').error('over')",
        "logging.getLogger('sqlalchemy.engine').info('over')",
        "logging.getLogger('a.library').info('over')",
        "logging.getLogger('uvicorn.error').error('over')",
        "log.debug('custody.taken')",
        "warnings.warn('a warning')",
    )
    found = [json.loads(line) for line in lines]
    assert ["sftp.open", "sftp.open", "custody.taken"] == [line["event"] for line in found[:-1]]
    assert 1 == found[1]["left_out"]
    assert "a warning" in found[-1]["event"]


def test_what_nobody_caught_is_an_event_without_its_words() -> None:
    """In the main thread and in others, as it may quote a document."""
    lines = said(
        "from config.logs import Logging; from gateway.logs import configure_logging; import sys, threading\n"
        "configure_logging(Logging())\n"
        "def fail(): raise ValueError('words of a document')",
        "thread = threading.Thread(target=fail)",
        "thread.start()",
        "thread.join()",
        "sys.excepthook(*(lambda: (ValueError, ValueError('words of a document'), None))())",
    )
    found = [json.loads(line) for line in lines]
    assert [("gateway.failed", "ValueError")] * 2 == [(line["event"], line["fault"]) for line in found]
    assert "words of" not in "".join(lines)
