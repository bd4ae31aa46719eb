"""Where does a client come from, for counting and for lists of allowed addresses?

An IPv4 address counts by itself, an IPv6 address by its first 64 bits, for that is what one customer of a provider is
given (RFC 6177, 2).  IPv4 written as IPv6 is IPv4.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_CUSTOMER = 64


def _address(source: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(source.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def counted_as(source: str) -> str:
    """What ``source`` counts as: an IPv4 address, an IPv6 network, or itself if it is neither."""
    address = _address(source)
    if address is None:
        return source[:64]
    return str(ip_network((address, _CUSTOMER), strict=False)) if address.version == 6 else str(address)


def is_within(source: str, networks: Iterable[str]) -> bool:
    """Whether ``source`` lies in one of ``networks`` (CIDR); in no network lies what is no address."""
    address = _address(source)
    return address is not None and any(address in ip_network(network) for network in networks)


def read_network(text: str) -> str:
    """The network or address in ``text``, in CIDR.

    Raises:
        ValueError: it is none, or has bits beyond its mask; the text says so.
    """
    return str(ip_network(text.strip()))
