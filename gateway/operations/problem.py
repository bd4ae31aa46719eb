"""What does the interface for programs say when it refuses?  A problem of RFC 9457, in few words of our own.

Nothing that isn't well made is repeated in it; the words of the register may name the number or the user name that
they are about, to who may know of it.  None of it goes into a log.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

MEDIA_TYPE: Final = "application/problem+json"

# Said with every answer, also with one that no route gave: it is for one caller and for no browser's scripts.
HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def problem(status: HTTPStatus, detail: str | None = None, faults: Sequence[Mapping[str, Any]] = ()) -> bytes:
    """The body of a refusal.

    Args:
        status: its HTTP status, whose name is the title.
        detail: what a person can do about it; nothing of what was asked.
        faults: what is wrong where in a body: ``at`` (a JSON pointer) and ``words``.
    """
    body: dict[str, Any] = {"type": "about:blank", "title": status.phrase, "status": status.value}
    if detail is not None:
        body["detail"] = detail
    if faults:
        body["faults"] = list(faults)
    return json.dumps(body, ensure_ascii=False).encode()
