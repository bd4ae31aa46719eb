"""What are the digests of a file, as it lies there and as a text-mode client saw it?

Clients that sign without the binary option (``openssl smime -sign``, many toolkits) sign the S/MIME canonical form, in
which every LF is CRLF (RFC 8551, 3.1.1). Files of any size are read in pieces.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

_PIECE = 1 << 20
_SMALL = 1 << 16  # nearly every file; room for more would be asked of the system each time


def of_file(path: Path, algorithms: Collection[str]) -> Mapping[str, bytes]:
    """The digests of a file by each algorithm, in one reading.

    Args:
        algorithms: names that ``hashlib`` knows

    Raises:
        OSError: if the file can't be read
    """
    digests = {name: hashlib.new(name) for name in algorithms}
    for piece in _pieces(path):
        for digest in digests.values():
            digest.update(piece)
    return {name: digest.digest() for name, digest in digests.items()}


def of_canonical_text(path: Path, algorithm: str) -> tuple[bytes, bytes]:
    """The digest that the file has after each LF without a CR before it became CRLF, and the SHA-256 of it as it lies.

    Both are of one reading, so that it is the same bytes that they are about.

    Args:
        algorithm: a name that ``hashlib`` knows

    Raises:
        OSError: if the file can't be read
    """
    digest, as_it_lies = hashlib.new(algorithm), hashlib.sha256()
    held = b""
    for piece in _pieces(path):
        as_it_lies.update(piece)
        text = held + piece
        held = b"\r" if text.endswith(b"\r") else b""
        whole = text[: len(text) - len(held)]
        digest.update(whole.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    digest.update(held)
    return digest.digest(), as_it_lies.digest()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        piece = file.read(_SMALL)
        while piece:
            yield piece
            piece = file.read(_PIECE if len(piece) >= _SMALL else _SMALL)
