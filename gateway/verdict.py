"""From what the checks report to a verdict.  Pure.

Nothing is accepted because nobody objected: every check has to report, and to report nothing wrong.
"""

from collections.abc import Mapping
from enum import StrEnum

from config.errors import GatewayError
from schemas.codes import Finding
from spool.submissions import State


class Check(StrEnum):
    """What has to be right, in the order in which it is judged."""

    SENDER = "sender"
    SET = "set"
    REPEATS = "repeats"
    SIGNATURE = "signature"
    SCAN = "scan"
    VALIDATION = "validation"
    MANDATES = "mandates"


class UnfinishedJudgementError(GatewayError):
    """A check found nothing wrong and another never reported: no verdict can be made."""


def decide(reports: Mapping[Check, tuple[Finding, ...]]) -> tuple[State, tuple[Finding, ...]]:
    """The verdict that follows: accepted, or rejected with the findings of the first check that has any.

    Raises:
        UnfinishedJudgementError: neither follows.
    """
    for check in Check:
        if check not in reports:
            raise UnfinishedJudgementError(f"the check of the {check} did not report")
        if reports[check]:
            return State.REJECTED, reports[check]
    return State.ACCEPTED, ()
