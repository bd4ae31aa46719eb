"""From reports to a verdict."""

import pytest

from gateway.verdict import Check, UnfinishedJudgementError, decide
from schemas.codes import Code, Finding
from spool.submissions import State

_NOTHING: dict[Check, tuple[Finding, ...]] = dict.fromkeys(Check, ())


def test_accepted_needs_every_check() -> None:
    """Every check has reported and none found anything."""
    assert decide(_NOTHING) == (State.ACCEPTED, ())


@pytest.mark.parametrize("silent", Check)
def test_a_check_that_did_not_report_is_no_pass(silent: Check) -> None:
    """Without the report of any one check there is no verdict."""
    reports = {check: found for check, found in _NOTHING.items() if check is not silent}

    with pytest.raises(UnfinishedJudgementError):
        decide(reports)


def test_no_reports_at_all_are_no_pass() -> None:
    """An empty list of findings from nobody accepts nothing."""
    with pytest.raises(UnfinishedJudgementError):
        decide({})


def test_the_first_check_that_finds_something_rejects() -> None:
    """Its findings are the answer; later checks need not have run."""
    findings = (Finding(Code.SIGNATURE_INVALID), Finding(Code.CERTIFICATE_NOT_OWNERS))
    reports = {Check.SENDER: (), Check.SET: (), Check.REPEATS: (), Check.SIGNATURE: findings}

    assert (State.REJECTED, findings) == decide(reports)
