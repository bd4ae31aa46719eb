"""Checkpoints over the chain on real databases, by a real key: whoever tampers with either is found, and named."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.sealing import Sealer, Sound, UnsealableError, verify_journal
from signing.own.keys import create_signing_key
from signing.own.own_keys import OwnKeys
from signing.own.sign import Signer
from spool import chain, checkpoints
from spool.checkpoints import Checkpoints, Sealed
from spool.journal import Journal
from spool.submissions import note
from spool.tables import checkpoints as recorded
from spool.tables import events

pytestmark = pytest.mark.every_database


def make_signer(folder: Path) -> Signer:
    """A key and certificate as `gateway init` makes them."""
    create_signing_key(folder / "key", folder / "pem", "Invented Gateway")
    return Signer.open(folder / "key", folder / "pem")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    """Ours."""
    return make_signer(tmp_path_factory.mktemp("own"))


@pytest.fixture
def sealer(journal: Journal, tmp_path: Path, own: Signer) -> Sealer:
    """A checkpoint for every three events."""
    return Sealer(journal, Checkpoints(tmp_path / "evidence" / "checkpoints"), OwnKeys(own), events=3)


@pytest.fixture
async def sealed(sealer: Sealer) -> Sealer:
    """Three checkpoints, and one event after them."""
    fill(sealer.journal, 10)
    await sealer.turn()
    return sealer


def fill(journal: Journal, count: int) -> None:
    """So many events."""
    for number in range(count):
        with journal.write() as connection:
            note(connection, "A", "something.happened", number=number)


def verdict(sealer: Sealer, own: Signer) -> Sound | str:
    """What verification says."""
    with sealer.journal.read() as connection:
        return verify_journal(connection, sealer.files, {own.certificate})


async def test_what_is_due_is_sealed_and_no_more(sealed: Sealer, own: Signer) -> None:
    """By number here; a second turn does nothing, and what is left is sealed when asked for."""
    assert Sound(3, 1) == verdict(sealed, own)
    await sealed.turn()
    assert Sound(3, 1) == verdict(sealed, own)
    await sealed.seal_all()
    assert Sound(4, 0) == verdict(sealed, own)


async def test_the_age_of_one_event_is_enough(sealer: Sealer, own: Signer) -> None:
    """However few they are."""
    fill(sealer.journal, 1)
    await Sealer(sealer.journal, sealer.files, sealer.keys, age=0).turn()

    assert Sound(1, 0) == verdict(sealer, own)


def rewrite(journal: Journal, number: int, *, remove: bool = False) -> None:
    """Change or remove an event, and make the chain fit again from there to its end."""
    with journal.write() as connection:
        if remove:
            connection.execute(sa.delete(events).where(events.c.number == number))
        else:
            connection.execute(sa.update(events).where(events.c.number == number).values(name="forged"))
        digest = chain.BEGINNING
        for link in list(chain.everything(connection)):
            digest = chain.digest_of(digest, link)
            connection.execute(sa.update(events).where(events.c.number == link.number).values(digest=digest))


@pytest.mark.parametrize("remove", [False, True])
async def test_a_chain_that_was_written_anew_is_not_the_sealed_one(sealed: Sealer, own: Signer, remove: bool) -> None:
    """Each digest fits the one before, and the checkpoint is named whose events they are not."""
    rewrite(sealed.journal, 5, remove=remove)

    assert "events 4 to 6 are not those that checkpoint 2 has sealed" == verdict(sealed, own)


async def test_an_event_that_was_changed_is_named_before_its_checkpoint(sealed: Sealer, own: Signer) -> None:
    """The event itself, and so is one after the last checkpoint."""
    with sealed.journal.write() as connection:
        connection.execute(sa.update(events).where(events.c.number == 10).values(name="forged"))
    assert "event 10 was changed, or is not where it was written" == verdict(sealed, own)
    with sealed.journal.write() as connection:
        connection.execute(sa.update(events).where(events.c.number == 5).values(name="forged"))
    assert "event 5 was changed, or is not where it was written" == verdict(sealed, own)


async def test_the_end_cannot_be_cut_off(sealed: Sealer, own: Signer) -> None:
    """Events that a checkpoint has sealed are missed, and a checkpoint that the journal no more has as well."""
    with sealed.journal.write() as connection:
        connection.execute(sa.delete(events).where(events.c.number >= 8))
    assert "events up to 9 are missing, which checkpoint 3 has sealed" == verdict(sealed, own)
    with sealed.journal.write() as connection:
        connection.execute(sa.delete(recorded).where(recorded.c.ordinal >= 2))
    assert str(verdict(sealed, own)).startswith("checkpoint 2 is not recorded in the journal")


async def test_a_checkpoint_that_was_removed_is_missed(sealed: Sealer, own: Signer) -> None:
    """By its number and its file."""
    sealed.files.path(2).unlink()

    assert f"checkpoint 2 is missing: there is no {sealed.files.path(2)}" == verdict(sealed, own)


async def test_a_checkpoint_that_was_replaced_is_named(sealed: Sealer, own: Signer, tmp_path: Path) -> None:
    """By another of ours, one by a foreign key, and one whose words were changed."""
    path = sealed.files.path(2)
    path.unlink()
    path.write_bytes(sealed.files.path(1).read_bytes())
    assert "checkpoint 2 does not follow checkpoint 1" == verdict(sealed, own)

    path.unlink()
    with sealed.journal.read() as connection:
        before, links = checkpoints.sealing(connection, 1), chain.after(connection, 3, 3)
    assert before is not None
    other = checkpoints.make(2, before.digest, links, 1)
    path.write_bytes((await sealed._signed(other)).written())
    assert str(verdict(sealed, own)).startswith("checkpoint 2 was replaced")

    foreign = Sealer(sealed.journal, sealed.files, OwnKeys(make_signer(tmp_path)))
    path.write_bytes((await foreign._signed(other)).written())
    assert "checkpoint 2: Somebody else has signed it." == verdict(sealed, own)

    path.write_bytes(Sealed(other, b"nothing").written())
    assert str(verdict(sealed, own)).startswith("checkpoint 2: ")
    path.write_bytes(b"{}")
    assert "checkpoint 2: this is no checkpoint" == verdict(sealed, own)


async def test_what_does_not_fit_is_never_sealed(sealed: Sealer) -> None:
    """The round says which event it is, and there is no new checkpoint."""
    with sealed.journal.write() as connection:
        connection.execute(sa.update(events).where(events.c.number == 10).values(name="forged"))

    with pytest.raises(UnsealableError, match="event 10 was changed"):
        await sealed.seal_all()
    assert 3 == sealed.files.highest()


async def test_a_file_without_a_record_is_taken_as_it_is(sealed: Sealer, own: Signer) -> None:
    """What a kill between the two leaves; and a file of another journal stops the sealing."""
    content = sealed.files.path(3).read_bytes()
    with sealed.journal.write() as connection:
        connection.execute(sa.delete(recorded).where(recorded.c.ordinal == 3))
    assert Sound(2, 4) == verdict(sealed, own)
    await sealed.turn()
    assert Sound(3, 1) == verdict(sealed, own)
    assert content == sealed.files.path(3).read_bytes()

    sealed.files.path(4).write_bytes(content)
    with pytest.raises(UnsealableError, match="checkpoint 4 is of another journal"):
        await sealed.seal_all()
