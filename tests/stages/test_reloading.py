"""What differs between settings, when each of them counts, and that no secret is told of them."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.roles import ALL
from config.settings import Settings
from gateway.in_force import InForce, Outcome, flat, new_salt, tell, told
from gateway.reload_plan import changes
from gateway.reloading import Counts, counts, differences, reloadable
from spool.processes import joined

SALT = new_salt()


def settings_with(section: str, **values: object) -> Settings:
    """The default settings with other values in a section."""
    settings = Settings()
    return settings.model_copy(update={section: getattr(settings, section).model_copy(update=values)})


def words(before: Settings, after: Settings) -> list[str]:
    """What differs, in words."""
    return [one.words for one in differences(flat(before, SALT), flat(after, SALT))]


def test_every_setting_is_told_of_once_by_its_name() -> None:
    """As the example has them, and those without a default."""
    told_of = flat(Settings(), SALT)
    assert {key.partition(".")[0] for key in told_of} == set(Settings.model_fields)
    assert json.loads(json.dumps(told_of)) == told_of
    assert [] == differences(told_of, flat(Settings(), SALT))


def test_of_a_secret_only_that_it_is_another() -> None:
    """Neither the old nor the new one is in the words, nor in what is written down."""
    first, second = (settings_with("journal", url=SecretStr(f"postgresql://u:{word}@h/d")) for word in ("one1", "two2"))
    assert ["journal.url: a secret becomes another secret"] == words(first, second)
    assert ["journal.url: nothing becomes a secret"] == words(Settings(), first)
    assert ["journal.url: a secret becomes nothing"] == words(first, Settings())
    assert "one1" not in json.dumps(flat(first, SALT))
    assert flat(first, SALT) != flat(first, new_salt())
    named = settings_with("journal", url=SecretStr("credential:journal.url"))
    assert ["journal.url: a secret becomes credential:journal.url"] == words(first, named)
    pin = settings_with("signing", key="pkcs11:token=a;object=b?pin-value=31415926")
    assert "31415926" not in "".join(words(Settings(), pin))


@pytest.mark.parametrize(
    ("key", "when"),
    [
        ("sftp.max_tries", Counts.RELOAD),
        ("sftp.port", Counts.RESTART),
        ("accounts.lock_seconds", Counts.RELOAD),
        ("accounts.hash_passes", Counts.RESTART),
        ("accounts.first_password_days", Counts.AT_ONCE),
        ("promise.share", Counts.AT_ONCE),
        ("logging.levels", Counts.RELOAD),
        ("judging.workers", Counts.RESTART),
        ("intake.max_file_bytes", Counts.RELOAD),
        ("intake.max_waiting_files", Counts.RELOAD),
        ("intake.max_age_days", Counts.RESTART),
        ("mq.max_message_bytes", Counts.RELOAD),
        ("mq.prefetch", Counts.RESTART),
    ],
)
def test_when_a_setting_counts(key: str, when: Counts) -> None:
    """What is not known to be taken over needs a restart."""
    assert when is counts(key)


def test_a_file_that_could_never_be_scanned_is_not_taken_before_a_restart(tmp_path: Path) -> None:
    """The scanner's largest file counts after one; a reload that asks for more changes nothing."""
    scanned = settings_with("scanner", address="tcp:127.0.0.1:1", max_bytes=40_000_000)
    wanted = scanned.model_copy(update={"intake": scanned.intake.model_copy(update={"max_file_bytes": 50_000_000})})
    taken: list[Settings] = []
    with joined(tmp_path, ALL) as process:
        reloading = reloadable(scanned, lambda: wanted, process, [taken.append])
        reloading.reload()
        [fault] = reloading.told.last.faults
        assert (True, []) == (fault.startswith("intake.max_file_bytes: 40000000 bytes at most"), taken)
        wanted = wanted.model_copy(update={"intake": scanned.intake.model_copy(update={"max_file_bytes": 39_000_000})})
        reloading.reload()
        assert (("intake.max_file_bytes",), [wanted]) == (reloading.told.last.changed, taken)


def test_what_a_process_tells_is_read_by_others_while_it_lives(tmp_path: Path) -> None:
    """And is not there any more when it has ended; what is of another release is not understood, and no trouble."""
    last = Outcome(3, 5, faults=("one",), changed=(), needs_restart=("sftp.port",))
    mine = InForce("1", 2, SALT, flat(Settings(), SALT), {"types": {"a": 1}}, last)
    with joined(tmp_path, ALL) as process:
        assert [(process, None)] == list(told(tmp_path))
        tell(process, mine)
        assert [(process, mine)] == list(told(tmp_path))
        [path] = (tmp_path / "processes").glob("*.json")
        path.write_text('{"version": "9"}')
        assert [(process, None)] == list(told(tmp_path))
    assert [] == list(told(tmp_path))
    assert [] == list((tmp_path / "processes").glob("*.json"))


def test_folders_that_came_went_and_changed() -> None:
    """Each in a sentence, in the order of their names."""
    before, after = {"a": 1, "b": 1, "c": 1}, {"b": 2, "c": 1, "d": 1}
    assert ["type a was removed", "type b was changed", "type d was added"] == list(changes("type", before, after))
