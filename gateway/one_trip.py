"""Can one worker verify a set's signatures and validate its content, asked once?

It saves handing the set over a second time. What stands between both stays there: the signatures of all parts are good,
and each is made with a certificate that is registered for the sender by its fingerprint, or nothing is parsed. A sender
whose certificate is known by its holder only takes two trips, as workers have no key of holders. The same functions
judge as in two trips; each verification is told as soon as it is done, so that it has its own time.
"""

from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway import registrations
from gateway.examination import (
    Content,
    ContentRules,
    RefusedSet,
    SignedPart,
    TrustRules,
    ValidatedSet,
    validate_set,
    verify_part,
)
from gateway.registrations import Period, Registration
from gateway.worker_values import send_in_order
from signing.verify import Evidence, Fault

Step = Evidence | Fault | ValidatedSet | RefusedSet


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose certificates count: the sender's registrations at the moment of receipt (microseconds)."""

    certificates: Collection[Registration]
    at: int

    def has_signed(self, evidence: Evidence) -> bool:
        """Whether the certificate is the sender's; one that is known by its holder is not told."""
        return not registrations.refusal(self.certificates, evidence, self.at, None)


send_in_order(Owner, Registration, Period)


def verify_and_validate(
    parts: Sequence[SignedPart | None],
    trust: TrustRules,
    owner: Owner,
    contents: Callable[[Sequence[Evidence | None]], Sequence[Content]],
    rules: ContentRules,
    declarations: Path,
) -> Generator[Evidence, None, Step | None]:
    """Verify part by part, then validate all; the last answer is the first that stands in the way of the next step.

    Args:
        parts: the parts, in their order; None is one without a signature to verify.
        trust: what signatures are judged by.
        owner: whose they have to be.
        contents: what is to be validated, from what was verified (:func:`gateway.examination.contents_of`).
        rules: what content is judged by.
        declarations: where its declarations go.

    Raises:
        what :func:`gateway.examination.verify_part` and :func:`gateway.examination.validate_set` raise.
    """
    verified: list[Evidence | None] = []
    for part in parts:
        if part is None:
            verified.append(None)
            continue
        found = verify_part(part, trust)
        if isinstance(found, Fault) or not owner.has_signed(found):
            return found
        verified.append(found)
        yield found
    return validate_set(contents(verified), rules, declarations)
