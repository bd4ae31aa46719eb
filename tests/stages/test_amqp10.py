"""Headers as AMQP 1.0 application properties: what goes in comes out, and nothing strange does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.mq.amqp10 import MOST_BYTES, NotHeadersError, decode, encode

# What qpid-proton 0.37 sent for {"FileName": "FI.x"}, as RabbitMQ 3.10.8 handed it over.
PROTON = b"\x00St\xd1\x00\x00\x00\x14\x00\x00\x00\x02\xa1\x08FileName\xa1\x04FI.x"


@given(st.dictionaries(st.text(max_size=300), st.text(max_size=300), max_size=8))
def test_what_is_encoded_is_decoded(headers: dict[str, str]) -> None:
    """Any text of any length."""
    assert headers == decode(encode(headers))


def test_what_a_client_sends_is_read() -> None:
    """Bytes of another implementation."""
    assert {"FileName": "FI.x"} == decode(PROTON)
    assert PROTON == encode({"FileName": "FI.x"})


@pytest.mark.parametrize(
    "section",
    [
        b"\x00\x53\x74\xc1\x07\x02\xa1\x01a\xa1\x01b",
        b"\x00\x80\x00\x00\x00\x00\x00\x00\x00\x74\xc1\x07\x02\xa1\x01a\xa1\x01b",
        b"\x00\x53\x74\xc1\x07\x02\xa3\x01a\xa0\x01b",
        b"\x00\x53\x74\xc1\x0d\x02\xb1\x00\x00\x00\x01a\xb1\x00\x00\x00\x01b",
    ],
)
def test_other_ways_to_say_the_same(section: bytes) -> None:
    """Short and long maps, strings, symbols and binaries, the long descriptor."""
    assert {"a": "b"} == decode(section)


@pytest.mark.parametrize(
    "section",
    [
        b"",
        b"\x00\x53\x74",
        b"\x00\x53\x73\xc1\x01\x00",
        b"\x00\x53\x74\xc0\x01\x00",
        b"\x00\x53\x74\xc1\x07\x02\xa1\x01a\xa1\x01b\x00",
        b"\x00\x53\x74\xc1\x07\x02\xa1\x01a\xa1\x09b",
        b"\x00\x53\x74\xc1\x04\x01\xa1\x01a",
        b"\x00\x53\x74\xc1\x06\x02\xa1\x01a\x55\x01",
        b"\x00\x53\x74\xc1\x07\x02\xa1\x01a\xa1\x01\xff",
        b"\x00\x53\x74\xc1\x0d\x04\xa1\x01a\xa1\x01b\xa1\x01a\xa1\x01c",
        b"\x00\x53\x74\xd1\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x00\x53\x74\xc1\x02\xff",
        encode({str(number): "" for number in range(65)}),
        encode({"a": "x" * MOST_BYTES}),
    ],
)
def test_anything_else_is_no_headers(section: bytes) -> None:
    """Cut off, too long, too many, twice, no text, more behind it."""
    with pytest.raises(NotHeadersError):
        decode(section)


@given(st.binary(max_size=64))
def test_no_bytes_do_harm(rest: bytes) -> None:
    """Whatever follows the descriptor, it is headers or it isn't."""
    try:
        decode(b"\x00\x53\x74" + rest)
    except NotHeadersError:
        return
