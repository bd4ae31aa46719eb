"""What an operator may say of the content scanner."""

from pathlib import Path

import pytest

from config.errors import ConfigurationError
from config.scanner import Scanner, parse_address
from config.settings import read_settings


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("unix:/run/clamav/clamd.ctl", "/run/clamav/clamd.ctl"),
        ("tcp:127.0.0.1:3310", ("127.0.0.1", 3310)),
        ("tcp:127.1.2.3:1", ("127.1.2.3", 1)),
        ("tcp:[::1]:3310", ("::1", 3310)),
    ],
)
def test_an_address_is_a_socket_or_a_port_of_the_loopback(text: str, place: str | tuple[str, int]) -> None:
    """As the client connects to it."""
    assert place == parse_address(text)
    assert place == Scanner(address=text).place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/run/clamav/clamd.ctl",
        "unix:clamd.ctl",
        "unix:/" + "x" * 107,
        "tcp:10.0.0.1:3310",
        "tcp:0.0.0.0:3310",
        "tcp:[::]:3310",
        "tcp:localhost:3310",
        "tcp:127.0.0.1",
        "tcp:127.0.0.1:0",
        "tcp:127.0.0.1:65536",
        "tcp:127.0.0.1:\N{ARABIC-INDIC DIGIT ONE}",
        "http://127.0.0.1:3310",
    ],
)
def test_what_is_elsewhere_or_nowhere_is_a_fault(text: str) -> None:
    """Declarations would go there unencrypted; and a name may come to mean another address."""
    with pytest.raises(ValueError, match="must be"):
        Scanner(address=text)


def test_a_scanner_that_takes_less_than_the_door_is_a_fault(tmp_path: Path) -> None:
    """What could never be scanned would be held for ever; without a scanner it does not matter."""
    file = tmp_path / "gateway.toml"
    file.write_text('[scanner]\naddress = "unix:/s"\nmax_bytes = 1000\n[intake]\nmax_file_bytes = 1001\n')
    with pytest.raises(ConfigurationError, match=r"^Value error, scanner\.max_bytes must be at least 1001"):
        read_settings(file)
    file.write_text('[scanner]\naddress = "unix:/s"\nmax_bytes = 1001\n[intake]\nmax_file_bytes = 1001\n')
    assert 1001 == read_settings(file).scanner.max_bytes
    file.write_text("[scanner]\nmax_bytes = 1000\n")
    assert read_settings(file).scanner.place is None


def test_institutions_count_where_their_messages_are_taken(tmp_path: Path) -> None:
    """They may be larger than what senders send."""
    file = tmp_path / "gateway.toml"
    broker = '[broker]\nurls = ["amqp://127.0.0.1"]\n[back]\nenabled = true\nmax_message_bytes = 200000000\n'
    file.write_text('[scanner]\naddress = "unix:/s"\n' + broker)
    with pytest.raises(ConfigurationError, match="at least 200000000"):
        read_settings(file)
