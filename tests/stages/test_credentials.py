"""A secret that the settings only name is read where systemd puts it, and when it is wanted."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from channels.mq.addresses import brokers_of
from channels.mq.management import open_management
from config.credential import NONE_HERE, revealed
from config.errors import ConfigurationError
from config.settings import Settings, read_settings
from spool.journal import open_journal

NAMED = """
[journal]
url = "credential:journal.url"
[broker]
urls = ["credential:broker.url", "amqp://second.example/"]
[mq]
management = "credential:management"
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings that only name their secrets; reading them wants none."""
    path = tmp_path / "gateway.toml"
    path.write_text(NAMED)
    return read_settings(path)


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that systemd would hand out."""
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def put(folder: Path, name: str, text: str, mode: int = 0o400) -> None:
    """Hand out a credential."""
    path = folder / name
    path.write_text(text)
    path.chmod(mode)


def test_addresses_and_passwords_may_be_credentials(settings: Settings, credentials: Path) -> None:
    """The journal's URL, each of the broker's, and its management interface; the end of the line is not part of it."""
    put(credentials, "journal.url", "postgresql://gateway:geheim@db.example/gateway\n")
    put(credentials, "broker.url", "amqps://gateway:geheim@mq.example/batch")
    put(credentials, "management", "http://admin:geheim@127.0.0.1:15672\n")
    assert "postgresql://gateway:geheim@db.example/gateway" == settings.journal.place
    assert ["mq.example", "second.example"] == [one.host for one in brokers_of(settings.broker).addresses]
    assert settings.mq.management is not None
    assert "http://admin:geheim@127.0.0.1:15672" == revealed(settings.mq.management)


def test_without_credentials_only_what_wants_them_fails(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which setting, and that nobody hands them out here."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigurationError) as journal:
        open_journal(settings.journal.place)
    assert (f"credential:journal.url: {NONE_HERE}",) == journal.value.faults
    with pytest.raises(ConfigurationError) as broker:
        brokers_of(settings.broker)
    assert (f"broker.urls: address 1: credential:broker.url: {NONE_HERE}",) == broker.value.faults


@pytest.mark.parametrize(("text", "mode"), [("", 0o400), ("a\nb", 0o400), ("a\x1b", 0o400), ("amqp://h/", 0o444)])
def test_what_is_no_secret_in_one_line_is_refused(credentials: Path, text: str, mode: int) -> None:
    """Or may be read by everybody; the refusal does not quote it."""
    put(credentials, "x", text, mode)
    with pytest.raises(ConfigurationError) as refused:
        revealed(SecretStr("credential:x"))
    assert "amqp" not in str(refused.value)


async def test_a_credential_of_another_kind_is_a_fault(settings: Settings, credentials: Path) -> None:
    """What settings refuse at once is refused here when it is read."""
    put(credentials, "broker.url", "http://gateway:geheim@mq.example/")
    with pytest.raises(ConfigurationError) as broker:
        brokers_of(settings.broker)
    assert "geheim" not in str(broker.value)
    with pytest.raises(ConfigurationError, match="must begin with http"):
        async with open_management("amqp://mq.example"):
            pass
