"""The elements of DER that we write ourselves are those that a library writes, and are read back as they were."""

import pytest
from asn1crypto import parser
from hypothesis import example, given
from hypothesis import strategies as st

from signing import der

# Where a length gets one byte more.
LENGTHS = st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000]) | st.integers(0, 70_000)


@given(st.integers(0, 3), st.integers(0, 1), st.integers(0, 30), LENGTHS)
@example(0, 1, 16, 2**24)
def test_an_element_is_what_the_library_writes(class_: int, method: int, tag: int, length: int) -> None:
    """Whatever its class and its tag, and however long."""
    content = b"\x80" * length
    encoded = der.element(class_ << 6 | method << 5 | tag, content)

    assert parser.emit(class_, method, tag, content) == encoded
    assert content == der.contents(encoded)


@given(LENGTHS, st.binary(min_size=1, max_size=3))
def test_what_is_cut_or_has_something_behind_it_is_no_element(length: int, behind: bytes) -> None:
    """Nothing is taken out of what is not one element to its last byte."""
    encoded = der.element(0x04, bytes(length))
    for other in (encoded + behind, encoded[: -len(behind)]):
        with pytest.raises((ValueError, IndexError)):
            der.contents(other)
