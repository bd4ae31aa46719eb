"""What does a sender's message say about the file it brings?  Pure and total: whatever the headers are, it answers.

``FileName`` is a text, the name of one FI or TD; ``Signature`` the content of what over SFTP would be the FS file
(base64 of a CMS signature, or an XML signature), absent for senders who sign otherwise; ``Hash``, for channels that
sign for their users, the SHA-256 of the body in hex.  What is wrong with them is a finding, so that the sender gets its
one answer; a name that may not reach a disk is replaced by one that may, which is never a well-formed name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from channels.mq import amqp10
from channels.mq.frames import UNREADABLE
from schemas.codes import Code, Finding
from schemas.filename import Prefix, is_safe
from spool.mailbox import bad_name

UNNAMED: Final = "UNNAMED"
_LONGEST: Final = 90
_SIGNATURE_BYTES: Final = 128 * 1024
"""What fits a frame of AMQP, and so more than a header can have."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One file that came by message: its name, the content of its FS if it has one, and what is wrong with it."""

    name: str
    signature: bytes | None = field(repr=False)
    findings: tuple[Finding, ...] = ()

    @property
    def signature_name(self) -> str:
        """What the FS of this file is called."""
        return f"{Prefix.FS}{self.name[2:]}"


@dataclass(frozen=True, slots=True)
class Content:
    """The body of a message: ``size`` in bytes, SHA-256 in hex; one above ``limit`` bytes was not kept."""

    size: int
    sha256: str
    limit: int


def read_letter(headers: Mapping[str, Any], content: Content, *, hashed: bool = False) -> Letter:
    """What ``headers`` and ``content`` say; ``hashed``: of a channel that signs for its users.

    There a header ``Hash`` has to be that of the content, and headers that can't be read are the channel's fault.
    """
    headers = _of_amqp10(headers)
    name, findings = _name(headers, Code.CHANNEL_TECHNICAL if hashed else Code.FI_STRUCTURE)
    signature, faults = _signature(headers)
    findings += faults
    if content.size > content.limit:
        words = f"a file may have at most {content.limit} bytes, this one has {content.size}"
        findings += (Finding(Code.FILE_TOO_LARGE, words),)
    elif hashed and "Hash" in headers and headers["Hash"] != content.sha256:
        findings += (Finding(Code.HASH_INVALID, "the header Hash is not the SHA-256 of the body in hex"),)
    return Letter(name, signature if name.startswith("FI.") else None, findings)


def _of_amqp10(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same with what a client of AMQP 1.0 sent, which comes as one header."""
    wrapped = headers.get(amqp10.HEADER)
    if not isinstance(wrapped, bytes):
        return headers
    try:
        return {**amqp10.decode(wrapped), **headers}
    except amqp10.NotHeadersError:
        return headers


def _name(headers: Mapping[str, Any], unreadable: Code) -> tuple[str, tuple[Finding, ...]]:
    if UNREADABLE in headers:
        return UNNAMED, (Finding(unreadable, "the headers of the message cannot be read"),)
    name = headers.get("FileName")
    if not isinstance(name, str):
        return UNNAMED, (Finding(Code.FI_STRUCTURE, "the message has no header FileName that is text"),)
    if len(name) > _LONGEST or not is_safe(name):
        return _stand_in(name), (Finding(Code.FI_STRUCTURE, bad_name(name)),)
    if name.startswith(("FS.", "GO.")):
        words = "a message brings an FI or a TD; the signature is a header, and a GO is not needed"
        return name, (Finding(Code.PREFIX_INVALID, words),)
    return name, ()


def _stand_in(name: str) -> str:
    # With an underscore in it, or of this length, it is no name of a file that is taken.
    odd = re.sub(r"[^0-9A-Za-z._-]|(?<=\.)\.", "_", name[:_LONGEST])
    return re.sub(r"^[^0-9A-Za-z]", "X", odd) or UNNAMED


def _signature(headers: Mapping[str, Any]) -> tuple[bytes | None, tuple[Finding, ...]]:
    signature = headers.get("Signature")
    if signature is None:
        return None, ()
    if isinstance(signature, str):
        signature = signature.encode()
    if isinstance(signature, bytes) and len(signature) <= _SIGNATURE_BYTES:
        return signature, ()
    return None, (Finding(Code.SIGNATURE_INVALID, "the header Signature is no text"),)
