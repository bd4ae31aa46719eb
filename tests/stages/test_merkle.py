"""The Merkle tree: RFC 6962's own vectors, and every proof for every size."""

import hashlib

import pytest

from spool import merkle

LEAVES = [hashlib.sha256(bytes([number])).hexdigest() for number in range(40)]


def test_the_tree_of_one_and_of_two_is_as_the_rfc_says() -> None:
    """Leaves begin with 0 and nodes with 1."""
    first, second = (hashlib.sha256(b"\0" + bytes.fromhex(leaf)).digest() for leaf in LEAVES[:2])

    assert first.hex() == merkle.root(LEAVES[:1])
    assert hashlib.sha256(b"\1" + first + second).hexdigest() == merkle.root(LEAVES[:2])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 40])
def test_a_proof_leads_to_the_root_from_its_own_place_alone(size: int) -> None:
    """Another leaf, another place or another path leads elsewhere."""
    leaves = LEAVES[:size]
    root = merkle.root(leaves)
    for index, leaf in enumerate(leaves):
        path = merkle.proof(leaves, index)
        assert root == merkle.root_from(leaf, index, size, path)
        assert root != merkle.root_from("0" * 64, index, size, path)
        assert root != merkle.root_from(leaf, index, size, [*path, leaf])
        assert root not in {
            merkle.root_from(leaf, other, size, path) for other in range(-1, size + 1) if other != index
        }
        if path:
            assert root != merkle.root_from(leaf, index, size, path[:-1])
