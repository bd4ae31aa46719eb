"""Of which many things is this one digest, and how is one of them shown to be among them?

The tree of RFC 6962, section 2.1: what is hashed begins with 0 for a leaf and with 1 for a node, so that none can pass
for the other. Pure; digests are hexadecimal.
"""

import hashlib
from collections.abc import Sequence


def root(leaves: Sequence[str]) -> str:
    """The digest over all ``leaves``, at least one."""
    return _fold([_leaf(leaf) for leaf in leaves]).hex()


def proof(leaves: Sequence[str], index: int) -> list[str]:
    """What shows that the leaf at ``index`` is under the root: the digests on its way up, the nearest first."""
    return [node.hex() for node in _path([_leaf(leaf) for leaf in leaves], index)]


def root_from(leaf: str, index: int, size: int, path: Sequence[str]) -> str | None:
    """The root that a proof leads to; None if it is no proof for a place ``index`` among ``size`` leaves.

    Raises:
        ValueError: something is no hexadecimal digest.
    """
    if not 0 <= index < size:
        return None
    node, last = _leaf(leaf), size - 1
    for step in path:
        if last == 0:
            return None
        beside = bytes.fromhex(step)
        if index % 2 or index == last:
            node = _node(beside, node)
            while index % 2 == 0 and index:
                index, last = index >> 1, last >> 1
        else:
            node = _node(node, beside)
        index, last = index >> 1, last >> 1
    return node.hex() if last == 0 else None


def _leaf(leaf: str) -> bytes:
    return hashlib.sha256(b"\0" + bytes.fromhex(leaf)).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1


def _fold(nodes: Sequence[bytes]) -> bytes:
    if len(nodes) == 1:
        return nodes[0]
    middle = _split(len(nodes))
    return _node(_fold(nodes[:middle]), _fold(nodes[middle:]))


def _path(nodes: Sequence[bytes], index: int) -> list[bytes]:
    if len(nodes) == 1:
        return []
    middle = _split(len(nodes))
    if index < middle:
        return [*_path(nodes[:middle], index), _fold(nodes[middle:])]
    return [*_path(nodes[middle:], index - middle), _fold(nodes[:middle])]
