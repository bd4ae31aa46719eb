"""Signature and content are judged by one worker in one trip, unless something has to stand between them."""

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from config.scanner import Scanner
from config.settings import Settings
from gateway import one_trip
from gateway.cases import Case
from gateway.examination import ContentRules, SignedPart, TrustRules
from gateway.judge import Judge
from gateway.one_trip import Owner, verify_and_validate
from gateway.openings import Channel, Opening
from gateway.parties import Sender, SignatureProfile
from gateway.register import inss
from gateway.registrations import Registration, holder_key_file
from gateway.verdict import Check
from gateway.workers import WorkerLimits, Workers, open_workers
from schemas import catalogue
from schemas.codes import Code
from signing.holder import create_key, holder_of, read_key
from signing.policy import Policy
from signing.verify import Evidence
from spool.custody import Custody
from spool.journal import Journal, now
from spool.submissions import State, StoredFile, Submission
from tests.authority import Credential, Pki
from tests.clamd import Scanner as ClamdScanner
from tests.eid import issue_eid, national_number
from tests.gateway_process import SENDER, Site, make_test_site, today

STEM = f"DIMN.{SENDER}.{today()}.00001.R"
MALFORMED = b"<Dimona"


class ListeningWorkers:
    """Real workers, and the tasks that they were given."""

    def __init__(self, workers: Workers) -> None:
        """Have these do them."""
        self._workers = workers
        self.tasks: list[str] = []

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """One answer."""
        self.tasks.append(function.__name__)
        return await self._workers.run(function, *args)

    async def begin(self, function: Callable[..., Any], *args: Any) -> Any:
        """Answers in steps."""
        self.tasks.append(function.__name__)
        return await self._workers.begin(function, *args)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, pki: Pki, signer: Credential) -> Site:
    """A site whose key of INSSs is there."""
    made = make_test_site(tmp_path_factory.mktemp("trip"), pki, signer)
    inss.make_key(inss.key_file(made.settings))
    return made


@pytest.fixture
async def workers() -> AsyncIterator[ListeningWorkers]:
    """One worker."""
    async with open_workers(WorkerLimits(1, 1024**3, 60.0)) as one:
        yield ListeningWorkers(one)


def registered(credential: Credential) -> Registration:
    """A registration of this one certificate."""
    der = credential.read().public_bytes(Encoding.DER)
    return Registration(hashlib.sha256(der).hexdigest())


def case_of(site: Site, *owned: Registration, signer: Credential | None = None, data: bytes | None = None) -> Case:
    """A set in custody, signed by ``signer``, of a sender with these certificates."""
    names = site.write_set(STEM, data, signer)
    folder = site.work
    files = [StoredFile(name, *_measured(folder / name)) for name in names]
    submission = Submission(
        "T", now(), "sftp", SENDER, "u", "IN", names[2], f"{STEM}.1", "c", State.RECEIVED, 0, files=tuple(files)
    )
    sender = Sender(SENDER, SignatureProfile.DETACHED, "RTS", ("*",), active=True, certificates=owned)
    sender = replace(sender, any_employer=True, openings=(Opening(Channel.SFTP, "R"),))
    types = catalogue.current(site.settings.schemas.folder)
    return Case(submission, sender, None, folder, site.folder / "declarations" / "T", types)


def _measured(path: Path) -> tuple[int, str]:
    content = path.read_bytes()
    return len(content), hashlib.sha256(content).hexdigest()


def judge_of(settings: Settings, workers: ListeningWorkers) -> Judge:
    """A judge that needs no journal: what it would ask of it is in the case."""
    return Judge(settings, cast("Journal", None), cast("Custody", None), cast("Workers", workers))


async def test_a_set_is_judged_in_one_trip(site: Site, workers: ListeningWorkers) -> None:
    """The evidence, the declarations and the time of each check are there as after two."""
    verdict = await judge_of(site.settings, workers).judge(case_of(site, registered(site.signer)))

    assert (State.ACCEPTED, ["verify_and_validate"]) == (verdict.state, workers.tasks)
    [evidence] = verdict.case.evidence
    assert evidence is not None
    assert 3 == len(verdict.case.declared.declarations)
    assert verdict.case.declarations.exists()
    assert {Check.SIGNATURE, Check.SCAN, Check.VALIDATION} <= set(verdict.took)


async def test_of_another_ones_certificate_nothing_is_parsed(site: Site, pki: Pki, workers: ListeningWorkers) -> None:
    """The signature is good and the certificate is not the sender's: what is wrong with the content is not known."""
    other = pki.issue("Somebody Else")
    case = case_of(site, registered(site.signer), signer=other, data=MALFORMED)
    verdict = await judge_of(site.settings, workers).judge(case)

    assert [Code.CERTIFICATE_NOT_OWNERS] == [finding.code for finding in verdict.findings]
    assert ["verify_and_validate"] == workers.tasks
    assert Check.VALIDATION not in verdict.took
    assert case.validated is None


async def test_a_bad_signature_is_refused_before_anything_is_parsed(site: Site, workers: ListeningWorkers) -> None:
    """What was signed is another file."""
    case = case_of(site, registered(site.signer))
    (case.folder / case.parts[0].name).write_bytes(MALFORMED)
    verdict = await judge_of(site.settings, workers).judge(case)

    assert [Code.SIGNATURE_INVALID] == [finding.code for finding in verdict.findings]
    assert case.fault is not None


async def test_a_fault_in_the_content_is_told_after_the_signature(site: Site, workers: ListeningWorkers) -> None:
    """In the same trip, and with the evidence."""
    case = case_of(site, registered(site.signer), data=MALFORMED)
    verdict = await judge_of(site.settings, workers).judge(case)

    assert ([Code.XML_SYNTAX], 1) == ([finding.code for finding in verdict.findings], len(case.evidence))
    assert ["verify_and_validate"] == workers.tasks


async def test_a_certificate_that_is_known_by_its_holder_takes_two_trips(
    site: Site, pki: Pki, workers: ListeningWorkers
) -> None:
    """The key of holders stays here, so the worker cannot know whose the certificate is."""
    card = issue_eid(pki, "An Invented Person", national_number("850412", "997"))
    file = holder_key_file(site.settings)
    create_key(file)
    holder = holder_of(card.read().public_bytes(Encoding.DER))
    assert holder is not None
    case = case_of(site, Registration("", holder=holder.mark(read_key(file))), signer=card)
    verdict = await judge_of(site.settings, workers).judge(case)

    assert (State.ACCEPTED, ["verify_and_validate", "validate_set"]) == (verdict.state, workers.tasks)


async def test_with_a_scanner_there_are_two_trips(site: Site, clamd: ClamdScanner, workers: ListeningWorkers) -> None:
    """Nothing is parsed before the scanner has seen it; for another environment it changes nothing."""
    for environment, tasks in {"R": ["verify_part", "validate_set"], "T": ["verify_and_validate"]}.items():
        rules = Scanner.model_validate({"address": clamd.address, "environments": [environment]})
        settings = site.settings.model_copy(update={"scanner": rules})
        workers.tasks.clear()
        verdict = await judge_of(settings, workers).judge(case_of(site, registered(site.signer)))

        assert (State.ACCEPTED, tasks) == (verdict.state, workers.tasks)
        assert (len(verdict.case.scanned) > 0) == (environment == "R")


async def test_without_the_key_of_persons_the_signature_is_judged_all_the_same(
    site: Site, tmp_path: Path, workers: ListeningWorkers
) -> None:
    """What is missed is asked for when it is needed, and not before."""
    elsewhere = site.settings.sftp.model_copy(update={"host_key": tmp_path / "host"})
    settings = site.settings.model_copy(update={"sftp": elsewhere})
    verdict = await judge_of(settings, workers).judge(case_of(site, signer=site.signer))

    assert [Code.CERTIFICATE_NOT_OWNERS] == [finding.code for finding in verdict.findings]
    assert ["verify_part"] == workers.tasks


def test_nothing_is_validated_unless_every_part_is_the_senders(
    site: Site, pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Part by part each signature is told; after the first that is another's there is nothing more."""
    case = case_of(site, registered(site.signer))
    own = SignedPart(case.folder / case.parts[0].name, case.folder / f"FS.{STEM}.1.1")
    (tmp_path / own.data.name).write_bytes(own.data.read_bytes())
    (tmp_path / "FS").write_bytes(site.sign(own.data.name, pki.issue("Somebody")))
    others = SignedPart(tmp_path / own.data.name, tmp_path / "FS")
    monkeypatch.setattr(one_trip, "validate_set", lambda *_: pytest.fail("something was parsed"))
    trust = TrustRules(site.settings.trust.authorities, case.received_at, Policy())
    owner = Owner(case.sender.certificates, case.submission.received_at)
    unused = cast("ContentRules", None)
    steps = verify_and_validate([None, own, others, own], trust, owner, lambda _: (), unused, tmp_path)

    assert isinstance(next(steps), Evidence)
    with pytest.raises(StopIteration) as ended:
        next(steps)
    assert isinstance(ended.value.value, Evidence)
