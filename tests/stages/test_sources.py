"""Addresses: what they count as, and which list they are in."""

import pytest

from channels.sources import counted_as, is_within, read_network


@pytest.mark.parametrize(
    ("source", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("no address" * 100, ("no address" * 100)[:64]),
    ],
)
def test_one_customer_is_one_source(source: str, counted: str) -> None:
    """An IPv4 address, or 64 bits of an IPv6 one."""
    assert counted == counted_as(source)


@pytest.mark.parametrize(
    ("source", "within"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("192.0.3.7", False),
        ("2001:db8:5::1", True),
        ("2001:db9::1", False),
        ("", False),
        ("nowhere", False),
    ],
)
def test_lists_hold_both_kinds_of_addresses(source: str, within: bool) -> None:
    """And what is no address is in no list, not even in that of everything."""
    assert is_within(source, ["192.0.2.0/24", "2001:db8::/32"]) is within
    assert is_within(source, []) is False
    assert not is_within("nowhere", ["0.0.0.0/0", "::/0"])


@pytest.mark.parametrize(
    ("text", "network"),
    [(" 192.0.2.1 ", "192.0.2.1/32"), ("192.0.2.0/24", "192.0.2.0/24"), ("2001:DB8::/32", "2001:db8::/32")],
)
def test_networks_are_written_in_one_way(text: str, network: str) -> None:
    """As CIDR."""
    assert network == read_network(text)


@pytest.mark.parametrize("text", ["", "192.0.2.1/24", "example.org", "192.0.2.0/33", "192.0.2"])
def test_what_is_no_network_is_refused(text: str) -> None:
    """Names and bits beyond the mask included."""
    with pytest.raises(ValueError, match=r"IPv4|host bits"):
        read_network(text)
