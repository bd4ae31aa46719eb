"""Checkpoints with timestamps: of an authority that is there, one that is away, and one that stamps something else."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from asn1crypto import cms
from pydantic import HttpUrl
from structlog.testing import capture_logs

from config.settings import Signing
from gateway import chain_file
from gateway.chain_file import ChainMisfitError
from gateway.exporting import Exporter
from gateway.sealing import Sealer, Sound, verify_journal
from gateway.timestamping import Stamping, TimestampAuthority, open_stamping
from signing.own.own_keys import OwnKeys
from signing.own.timestamp_request import TimestampUnavailable
from spool.checkpoints import CHECKPOINTS, Checkpoints
from spool.journal import Journal
from spool.submissions import note
from tests.authority import Pki
from tests.purge_made import Archive, make_archive, make_keys
from tests.timestamp_authority import TimestampServer, timestamp_server

_STAMP = "signature_time_stamp_token"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> OwnKeys:
    """The gateway's key."""
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def site(journal: Journal, tmp_path: Path, keys: OwnKeys) -> Archive:
    """A site with seven events, none of them sealed."""
    site = make_archive(tmp_path, journal, keys)
    for number in range(7):
        with journal.write() as connection:
            note(connection, "A", "something.happened", number=number)
    return site


@pytest.fixture
async def server(tmp_path: Path, pki: Pki) -> AsyncIterator[TimestampServer]:
    """A timestamp authority that works."""
    async with timestamp_server(tmp_path, pki) as server:
        yield server


def sealer(site: Archive, stamping: Stamping | None) -> Sealer:
    """A checkpoint for every three events."""
    return Sealer(site.journal, Checkpoints(site.spool / CHECKPOINTS), site.keys, stamping, events=3)


async def seal(site: Archive, url: str, *, required: bool = False) -> None:
    """Seal all there is, as the settings say."""
    settings = Signing(timestamp_url=HttpUrl(url), timestamp_required=required)
    async with open_stamping(settings) as stamping:
        await sealer(site, stamping).seal_all()


def verdict(site: Archive) -> Sound | str:
    """What verification says of the journal; of the chain that is carried away it says the same."""
    certificates = {site.keys.present.certificate}
    with site.journal.read() as connection:
        found = verify_journal(connection, Checkpoints(site.spool / CHECKPOINTS), certificates)
    path = site.spool.parent / "chain"
    Exporter(site.settings, site.journal, site.keys).write_chain(path, with_facts=False)
    try:
        carried = chain_file.verify(path, certificates)
    except ChainMisfitError as fault:
        assert found == str(fault)
    else:
        assert isinstance(found, Sound)
        assert carried.checkpoints == found.checkpoints
    path.unlink()
    return found


def stamps(site: Archive, ordinal: int) -> list[str]:
    """What the signature of a checkpoint carries that it doesn't sign."""
    sealed = Checkpoints(site.spool / CHECKPOINTS).load(ordinal)
    assert sealed is not None
    [signer] = cms.ContentInfo.load(sealed.signature)["content"]["signer_infos"]
    return [attribute["type"].native for attribute in signer["unsigned_attrs"]]


async def test_each_checkpoint_has_a_timestamp_of_its_own(site: Archive, server: TimestampServer) -> None:
    """Each is asked for once, and everything holds."""
    await seal(site, server.url, required=True)

    assert Sound(3, 0) == verdict(site)
    assert [[_STAMP]] * 3 == [stamps(site, ordinal) for ordinal in (1, 2, 3)]
    assert 3 == len(server.asked)


async def test_an_authority_that_is_away_is_done_without_where_none_is_required(
    site: Archive, unused_tcp_port: int
) -> None:
    """Sealed is all the same, and which checkpoints have no timestamp is said."""
    with capture_logs() as lines:
        await seal(site, f"http://127.0.0.1:{unused_tcp_port}/")

    assert Sound(3, 0) == verdict(site)
    assert [[]] * 3 == [stamps(site, ordinal) for ordinal in (1, 2, 3)]
    told = [(line["checkpoint"], line["reason"]) for line in lines if line["event"] == "checkpoint.not_stamped"]
    assert [(1, "Connection refused"), *((ordinal, told[1][1]) for ordinal in (2, 3))] == told


async def test_where_a_timestamp_is_required_nothing_is_sealed_without(
    site: Archive, server: TimestampServer, unused_tcp_port: int
) -> None:
    """Neither a file nor a record; when the authority is back, what waited is sealed."""
    with pytest.raises(TimestampUnavailable, match="Connection refused"):
        await seal(site, f"http://127.0.0.1:{unused_tcp_port}/", required=True)
    assert 0 == Checkpoints(site.spool / CHECKPOINTS).highest()
    assert Sound(0, 7) == verdict(site)

    await seal(site, server.url, required=True)
    assert Sound(3, 0) == verdict(site)
    assert [_STAMP] == stamps(site, 1)


class StampsSomethingElse(TimestampAuthority):
    """An authority whose timestamps are good, and of other bytes."""

    async def stamp(self, _: bytes) -> bytes:
        """A timestamp of what nobody has asked about."""
        return await super().stamp(b"other bytes")


async def test_a_timestamp_of_other_bytes_is_named(site: Archive, server: TimestampServer) -> None:
    """With the checkpoint whose signature it should be of."""
    async with open_stamping(Signing(timestamp_url=HttpUrl(server.url))) as stamping:
        assert stamping is not None
        wrong = StampsSomethingElse(server.url, stamping.authority._downloader)
        await sealer(site, replace(stamping, authority=wrong)).seal_all()

    assert "checkpoint 1: The timestamp is refused. It was issued for something else." == verdict(site)
