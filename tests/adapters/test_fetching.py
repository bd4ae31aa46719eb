"""Revocation data come from the places that entries name, are checked before they are stored, and wake who waits."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from structlog.testing import capture_logs
from structlog.typing import EventDict

from gateway import fetching, parties
from gateway.download import DownloadLimits, Failed, Question, open_downloader
from gateway.fetching import Around, Fetcher, Reader
from gateway.parties import Sender, SignatureProfile
from signing.trust import authorities
from signing.trust.terms import Terms
from spool.journal import Journal
from tests.authority import Credential, Pki
from tests.revocation_server import RevocationServer, responder, serving

HOUR = timedelta(hours=1)


@dataclass
class Clock:
    """The present, which passes only when a test says so."""

    present: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        """The present."""
        return self.present


@dataclass
class Bench:
    """A folder of authorities, a journal, a server, and fetchers with what they resumed."""

    folder: Path
    journal: Journal
    server: RevocationServer
    stack: AsyncExitStack
    clock: Clock
    resumed: list[str] = field(default_factory=list)

    async def fetcher(self, reader: Reader | None = None) -> Fetcher:
        """A fetcher on the folder; with a reader of its own, or a real one."""

        async def resume(tickets: Collection[str]) -> None:
            self.resumed.extend(tickets)

        real = await self.stack.enter_async_context(open_downloader(DownloadLimits(20.0, 100_000)))
        made = Fetcher(self.folder, self.journal, reader or real, HOUR, Around(resume, lambda: None))
        self.stack.push_async_callback(made.close)
        return made

    def accept(self, pki: Pki, name: str = "staff", lists: tuple[Path, ...] = (), **terms: Any) -> None:
        """Add an entry."""
        authorities.add(self.folder, name, pki.issuing, [pki.root], lists, Terms(**terms))

    def stored(self, name: str = "staff") -> set[bytes]:
        """What is in the entry's folder of revocation data."""
        return {
            path.read_bytes()
            for path in (self.folder / name).rglob("*")
            if path.suffix not in {".pem", ".toml"} and path.is_file()
        }


@pytest.fixture
async def bench(tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """Everything but an authority."""
    clock = Clock()
    monkeypatch.setattr(fetching, "_now", clock)
    with serving(RevocationServer()) as server:
        async with AsyncExitStack() as stack:
            yield Bench(tmp_path / "authorities", journal, server, stack, clock)


@pytest.fixture
def own(tmp_path: Path) -> Pki:
    """An authority of this test alone."""
    return Pki.create(tmp_path / "own")


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    """What is logged."""
    with capture_logs() as lines:
        yield lines


async def all_of(fetcher: Fetcher) -> None:
    """One turn, and everything that it began."""
    await fetcher.turn()
    await asyncio.gather(*fetcher._busy.values())


def events(logged: list[EventDict], name: str) -> list[EventDict]:
    """The lines of the log with that event."""
    return [line for line in logged if line["event"] == name]


def register(journal: Journal, credential: Credential) -> bytes:
    """Register a certificate for a sender; answers its DER."""
    with journal.write() as connection:
        parties.add_sender(connection, Sender("123456", SignatureProfile.DETACHED, "RTS", ("*",), active=True))
        parties.add_certificate(connection, "123456", credential.read())
    return credential.read().public_bytes(Encoding.DER)


async def test_every_list_of_an_entry_is_fetched_and_stored(bench: Bench, own: Pki, logged: list[EventDict]) -> None:
    """The log names authority and host, and nothing else of the address."""
    root, issuing = own.crls
    bench.server.pages.update({"/root.crl": root, "/issuing.crl?key=hush": issuing})
    urls = tuple(bench.server.url(path) for path in bench.server.pages)
    bench.accept(own, crl_from=urls)
    await all_of(await bench.fetcher())

    assert {root.read_bytes(), issuing.read_bytes()} <= bench.stored()
    assert [("staff", "127.0.0.1")] * 2 == [
        (line["authority"], line["host"]) for line in events(logged, "revocation.fetched")
    ]
    assert "hush" not in str(logged)


async def test_a_clock_that_is_put_back_delays_nothing(bench: Bench, own: Pki) -> None:
    """A gateway that started before its clock was set fetches by the right time all the same."""
    bench.server.pages["/issuing.crl"] = own.crls[1]
    bench.accept(own, crl_from=(bench.server.url("/issuing.crl"),))
    bench.clock.present += timedelta(days=3000)
    fetcher = await bench.fetcher()
    await all_of(fetcher)
    bench.clock.present -= timedelta(days=3000)
    await all_of(fetcher)

    assert ["/issuing.crl"] * 2 == bench.server.asked


async def test_nothing_is_fetched_for_an_entry_that_names_no_place(bench: Bench, own: Pki, pki: Pki) -> None:
    """Addresses in certificates are not followed."""
    bench.accept(own, lists=own.crls)
    register(bench.journal, own.issue("Payroll"))
    fetcher = await bench.fetcher()
    fetcher.ask("A", "staff", None)
    await all_of(fetcher)

    assert [] == bench.server.asked


async def test_what_another_authority_signed_is_not_stored(
    bench: Bench, own: Pki, pki: Pki, logged: list[EventDict]
) -> None:
    """Nor what is no list at all; the log says so."""
    bench.server.pages.update({"/other.crl": pki.crls[1], "/none.crl": b"<html>Please log in</html>"})
    bench.accept(own, lists=own.crls, crl_from=tuple(bench.server.url(path) for path in bench.server.pages))
    before = bench.stored()
    await all_of(await bench.fetcher())

    assert before == bench.stored()
    assert 2 == len(events(logged, "revocation.failed"))
    assert [] == events(logged, "revocation.fetched")


async def test_an_older_list_is_not_put_in_the_place_of_a_newer_one(bench: Bench, own: Pki) -> None:
    """A server, or somebody before it, may play back what was true once."""
    own.write_crls(this_update=datetime.now(UTC) - timedelta(hours=9))
    old = own.crls[1].read_bytes()
    own.write_crls()
    bench.accept(own, lists=own.crls, crl_from=(bench.server.url("/old.crl"),))
    bench.server.pages["/old.crl"] = old
    await all_of(await bench.fetcher())

    assert old not in bench.stored()
    assert own.crls[1].read_bytes() in bench.stored()


async def test_a_list_that_is_fetched_decides_at_once_who_is_refused(bench: Bench, own: Pki) -> None:
    """What verification reads is what was fetched."""
    bench.server.pages.update({"/root.crl": own.crls[0], "/issuing.crl": own.crls[1]})
    bench.accept(own, crl_from=(bench.server.url("/root.crl"), bench.server.url("/issuing.crl")))
    await all_of(await bench.fetcher())

    assert 2 == len(authorities.load(bench.folder).entries[0].crls)


async def test_an_ocsp_answer_is_fetched_for_every_registered_certificate_of_the_authority(
    bench: Bench, own: Pki, pki: Pki
) -> None:
    """And for nobody else's: the responder learns of no other certificate."""
    questions: list[bytes] = []
    answer = responder(own)

    def answered(question: bytes) -> bytes:
        questions.append(question)
        return answer(question)

    bench.server.pages["/ocsp"] = answered
    bench.accept(own, lists=own.crls, ocsp_from=bench.server.url("/ocsp"))
    for credential in (own.issue("Payroll"), own.issue("Staff"), pki.issue("Somebody else's")):
        register(bench.journal, credential)
    before = bench.stored()
    await all_of(await bench.fetcher())

    assert 2 == len(set(questions)) == len(questions)
    assert 2 == len(bench.stored() - before)


async def test_a_certificate_that_a_submission_waits_for_is_asked_about(bench: Bench, own: Pki) -> None:
    """Also one that is not registered; the submission is resumed."""
    bench.server.pages["/ocsp"] = responder(own)
    bench.accept(own, lists=own.crls, ocsp_from=bench.server.url("/ocsp"))
    fetcher = await bench.fetcher()
    await all_of(fetcher)
    asked_before = list(bench.server.asked)
    fetcher.ask("TICKET", "staff", own.issue("New").read().public_bytes(Encoding.DER))
    await all_of(fetcher)

    assert ([], ["/ocsp"], ["TICKET"]) == (asked_before, bench.server.asked, bench.resumed)


async def test_a_hanging_server_delays_no_other(bench: Bench, own: Pki, pki: Pki) -> None:
    """It is asked for one thing at a time, and meanwhile the other has been read."""
    asked: list[str] = []
    others_are_read = asyncio.Event()

    class HangingHost:
        """One host never answers."""

        async def read(self, url: str, question: Question | None = None) -> bytes | Failed:
            """Hang, or read a file."""
            asked.append(url)
            if "hanging" in url:
                await asyncio.Event().wait()
            others_are_read.set()
            return own.crls[1].read_bytes()

    bench.accept(own, crl_from=("http://hanging.example/1", "http://hanging.example/2", "http://other.example/3"))
    fetcher = await bench.fetcher(HangingHost())
    await fetcher.turn()
    await others_are_read.wait()
    await fetcher._busy["other.example"]
    await fetcher.turn()

    assert own.crls[1].read_bytes() in bench.stored()
    assert 1 == len([url for url in asked if "hanging" in url])


async def test_who_waits_is_resumed_when_something_has_come(bench: Bench, own: Pki) -> None:
    """Once for each time it asks; also when nothing is new, since that may have come while it was being judged."""
    bench.server.pages["/issuing.crl"] = own.crls[1]
    bench.accept(own, crl_from=(bench.server.url("/issuing.crl"),))
    fetcher = await bench.fetcher()
    await all_of(fetcher)
    fetcher.ask("TICKET", "staff", None)
    bench.clock.present += HOUR / 2
    await all_of(fetcher)
    own.write_crls(this_update=datetime.now(UTC))
    bench.clock.present += 2 * HOUR
    await all_of(fetcher)

    assert ["TICKET"] == bench.resumed
    assert 3 == len(bench.server.asked)


async def test_what_does_not_help_is_fetched_more_and_more_rarely(bench: Bench, own: Pki) -> None:
    """A submission that asks again as soon as it was resumed: its data are elsewhere."""
    bench.server.pages["/issuing.crl"] = own.crls[1]
    bench.accept(own, crl_from=(bench.server.url("/issuing.crl"),))
    fetcher = await bench.fetcher()
    for _ in range(120):
        fetcher.ask("TICKET", "staff", None)
        await all_of(fetcher)
        bench.clock.present += timedelta(seconds=1)

    assert len(bench.resumed) == len(bench.server.asked) <= 8


async def test_nobody_waits_for_what_another_authority_says(bench: Bench, own: Pki, pki: Pki) -> None:
    """A list of one authority resumes no submission that waits for another."""
    bench.server.pages["/issuing.crl"] = own.crls[1]
    bench.accept(own, crl_from=(bench.server.url("/issuing.crl"),))
    bench.accept(pki, "other", crl_from=(bench.server.url("/none.crl"),))
    fetcher = await bench.fetcher()
    fetcher.ask("TICKET", "other", None)
    await all_of(fetcher)

    assert [] == bench.resumed


async def test_a_server_that_is_away_is_asked_again_soon_while_somebody_waits(
    bench: Bench, own: Pki, logged: list[EventDict]
) -> None:
    """Every five seconds at the most; the log is told of the first failures, and then now and then."""
    bench.accept(own, crl_from=(bench.server.url("/issuing.crl"),))
    fetcher = await bench.fetcher()
    fetcher.ask("TICKET", "staff", None)
    for _ in range(9):
        await all_of(fetcher)
        bench.clock.present += timedelta(seconds=5)
    bench.server.pages["/issuing.crl"] = own.crls[1]
    await all_of(fetcher)

    assert 10 == len(bench.server.asked)
    assert [1, 2, 4, 8] == [line["failures"] for line in events(logged, "revocation.failed")]
    assert ["TICKET"] == bench.resumed


async def test_a_server_that_fails_three_times_in_a_row_is_left_alone(bench: Bench, own: Pki) -> None:
    """The rest of what it owes is asked for first when its time has come."""
    bench.accept(own, crl_from=tuple(bench.server.url(f"/{number}.crl") for number in range(5)))
    fetcher = await bench.fetcher()
    await all_of(fetcher)
    first = set(bench.server.asked)
    bench.clock.present += timedelta(seconds=5)
    await all_of(fetcher)

    assert (3, 5) == (len(first), len(set(bench.server.asked)))


async def test_what_nobody_thought_of_stops_no_other_place(bench: Bench, own: Pki, logged: list[EventDict]) -> None:
    """It counts as a failure of that place; its words are said nowhere."""

    class Breaking:
        """A reader that breaks over one address."""

        async def read(self, url: str, question: Question | None = None) -> bytes | Failed:
            """Break, or read a file."""
            if "breaking" in url:
                raise ZeroDivisionError("words of a document")
            return own.crls[1].read_bytes()

    bench.accept(own, crl_from=("http://one.example/breaking", "http://one.example/list"))
    await all_of(await bench.fetcher(Breaking()))

    assert ["ZeroDivisionError"] == [line["reason"] for line in events(logged, "revocation.failed")]
    assert own.crls[1].read_bytes() in bench.stored()


async def test_an_entry_that_is_removed_while_its_list_comes_is_left_alone(bench: Bench, own: Pki) -> None:
    """Nothing of it appears again."""

    class Removing:
        """A reader during whose reading the operator removes the entry."""

        async def read(self, url: str, question: Question | None = None) -> bytes | Failed:
            """Read a file, late."""
            authorities.remove(bench.folder, "staff")
            return own.crls[1].read_bytes()

    bench.accept(own, crl_from=("http://one.example/list",))
    fetcher = await bench.fetcher(Removing())
    await all_of(fetcher)
    await all_of(fetcher)

    assert not (bench.folder / "staff").exists()
    assert {} == fetcher._standings


async def test_the_places_of_a_new_entry_are_asked_at_the_next_turn(bench: Bench, own: Pki) -> None:
    """Without a restart."""
    bench.folder.mkdir()
    fetcher = await bench.fetcher()
    await all_of(fetcher)
    bench.server.pages["/issuing.crl"] = own.crls[1]
    bench.accept(own, crl_from=(bench.server.url("/issuing.crl"),))
    await all_of(fetcher)

    assert ["/issuing.crl"] == bench.server.asked
