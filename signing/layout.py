"""How did the client write its signature down?

FS is base64 text (annex 25). The network's own pages ask for one line or for 76 columns parted by a bare CR;
clients in the field send 64 columns parted by CRLF. So every white space is skipped, and nothing else.
PEM armour lines, which clients are asked to strip, are tolerated only by name (``signing.policy``).
An XML signature may come as it is, or in base64 too.

What the bytes mean is judged elsewhere.
"""

import base64
import binascii
import re
from dataclasses import dataclass

from signing.evidence import Fault, Format, Reason
from signing.policy import Leniency, Policy

MAX_BYTES = 1 << 20

_SPACE = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ARMOUR = re.compile(rb"-----BEGIN (PKCS7|CMS)-----[\r\n](.*[\r\n])-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """The signature itself: DER for CMS, a document for XML."""

    format: Format
    content: bytes
    leniencies: tuple[str, ...] = ()


def unwrap(signature: bytes, policy: Policy) -> Unwrapped | Fault:
    """Find the signature in the bytes of FS, whatever they are.

    Args:
        signature: the whole file, at most one mebibyte
        policy: what is tolerated
    """
    if len(signature) > MAX_BYTES:
        return Fault(Reason.SHAPE, "The signature is larger than one mebibyte.")
    text = signature.strip(_SPACE)
    if _is_xml(text):
        return Unwrapped(Format.XML, text)
    leniencies: tuple[str, ...] = ()
    if armoured := _ARMOUR.fullmatch(text):
        if not policy.allows(Leniency.PEM_ARMOUR):
            return Fault(Reason.SYNTAX, "The BEGIN and END lines of PEM stand around the signature; they must not.")
        text, leniencies = armoured[2], (Leniency.PEM_ARMOUR.value,)
    try:
        content = decode(text)
    except ValueError:
        return Fault(Reason.SYNTAX, "The signature is not base64 text.")
    if not content:
        return Fault(Reason.SYNTAX, "The signature is empty.")
    return Unwrapped(Format.XML if _is_xml(content) else Format.CMS, content, leniencies)


def decode(text: bytes) -> bytes:
    """The bytes that base64 text in any columns stands for.

    Raises:
        ValueError: for anything but the alphabet, its padding and white space
    """
    try:
        return base64.b64decode(text.translate(None, _SPACE), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _is_xml(content: bytes) -> bool:
    return content.removeprefix(_BYTE_ORDER_MARK).lstrip(_SPACE).startswith(b"<")
