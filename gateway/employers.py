"""May this sender speak for the employers that its declarations name?  (annex 30: 101, 103, 155, 230)  Pure.

An employer acts itself, or by who has its mandate at the moment of receipt.  What the register knows of each employer
is looked up in :mod:`gateway.register.mandates`; here it becomes findings.  An employer that nobody registered and one
that never gave this sender a mandate get the same answer.
"""

from collections.abc import Mapping
from enum import StrEnum
from itertools import groupby
from typing import Final

from schemas.codes import Code, Finding
from schemas.identifiers import Kind
from schemas.inspection import Employer

MAX_NAMED: Final = 100
"""So many employers are named, each by a finding; of the others it is told how many there are."""

_NUMBERS: Final = {
    Kind.ONSS: "ONSS number",
    Kind.PROVISIONAL_ONSS: "provisional ONSS number",
    Kind.PPL: "number of the provincial and local authorities",
    Kind.ENTERPRISE: "enterprise number",
}


class SendsAs(StrEnum):
    """What a sender is in the register: ``NOBODY`` without a quality, or with one that isn't active any more."""

    NOBODY = "nobody"
    EMPLOYER = "employer"
    PROVIDER = "provider"


class Standing(StrEnum):
    """How a sender stands to an employer at one moment.

    It is the employer itself, has its mandate, had one or will have one that doesn't count then, or never had any.
    """

    ITSELF = "itself"
    MANDATED = "mandated"
    LAPSED = "lapsed"
    NEVER = "never"


def check_employers(sends_as: SendsAs, standings: Mapping[Employer, Standing]) -> tuple[Finding, ...]:
    """What is wrong with naming these employers; empty if nothing is.

    Args:
        sends_as: what the sender is; one that may send for every employer isn't asked.
        standings: how it stands to each employer that it named; of a sender that is nobody only the employers count.
    """
    codes = {employer: _code(sends_as, standing) for employer, standing in standings.items()}
    refused = sorted((code, employer.kind, employer.number) for employer, code in codes.items() if code is not None)
    by_code = [list(group) for _, group in groupby(refused, key=lambda one: one[0])]
    # An answer holds codes: each of them comes once before employers are left out.
    named = [group[0] for group in by_code] + [one for group in by_code for one in group[1:]]
    findings = [
        Finding(code, f"{name_of(Employer(kind, number))}: {_WHY[code]}") for code, kind, number in named[:MAX_NAMED]
    ]
    if left := len(named) - len(findings):
        findings.append(Finding(named[-1][0], f"and {left} more employers"))
    return tuple(findings)


def name_of(employer: Employer) -> str:
    """What an employer is called in a finding: the kind of its number, and the number."""
    return f"the employer of {_NUMBERS.get(employer.kind, employer.kind)} {employer.number}"


_WHY: Final = {
    Code.SENDER_NOT_AUTHORISED: "this sender belongs to no active quality that could speak for it",
    Code.EMPLOYER_NOT_ALLOWED: "this sender may only speak for itself",
    Code.MANDATE_MISSING: "the mandate did not hold at the time of receipt",
    Code.PROXY_UNKNOWN: "no mandate is known",
}


def _code(sends_as: SendsAs, standing: Standing) -> Code | None:
    if sends_as is SendsAs.NOBODY:
        return Code.SENDER_NOT_AUTHORISED
    if standing in {Standing.ITSELF, Standing.MANDATED}:
        return None
    if sends_as is SendsAs.EMPLOYER:
        return Code.EMPLOYER_NOT_ALLOWED
    return Code.MANDATE_MISSING if standing is Standing.LAPSED else Code.PROXY_UNKNOWN
