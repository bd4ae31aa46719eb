"""Decisions about certificates are remembered, and forgotten when anything they rest on changes or comes to its end."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from signing.evidence import Fault, Reason, TrustUnavailable
from signing.trust import authorities, path
from signing.trust.authorities import Authorities
from signing.trust.decisions import Accepted, Decisions, Question
from signing.trust.path import judge
from signing.trust.terms import Use, check_terms
from tests.authority import Credential, Pki, now

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


class AskedAgainError(Exception):
    """A path was looked for."""


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    """An authority with lists that are an hour old and good for a week."""
    return Pki.create(tmp_path / "pki")


@pytest.fixture
def folder(pki: Pki, tmp_path: Path) -> Path:
    """A folder in which it is accepted."""
    pki.install(tmp_path / "authorities", "test")
    return tmp_path / "authorities"


@pytest.fixture
def recall(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Accepted | Fault]:
    """Judge, without being able to look for a path."""

    def ask_again(*_: object) -> NoReturn:
        raise AskedAgainError

    def only_recall(*arguments: object, **named: object) -> Accepted | Fault:
        with monkeypatch.context() as patch:
            patch.setattr(path, "find_path", ask_again)
            return judge(*arguments, **named)  # type: ignore[arg-type]  # the very arguments of judge

    return only_recall


Recall = Callable[..., Accepted | Fault]


def der(credential: Credential) -> bytes:
    """A signer's certificate."""
    return credential.read().public_bytes(Encoding.DER)


def test_the_same_question_is_answered_from_memory(pki: Pki, folder: Path, recall: Recall) -> None:
    """With the same evidence, also a little earlier or later."""
    signer, accepted = der(pki.issue("Signer")), authorities.current(folder)
    found = judge(signer, accepted, now())
    assert isinstance(found, Accepted)
    for offset in (-HOUR, 0 * HOUR, DAY):
        assert found == recall(signer, accepted, now() + offset)


def test_an_equal_list_of_authorities_has_the_same_memory(pki: Pki, folder: Path, recall: Recall) -> None:
    """What counts is the content, not the object."""
    signer = der(pki.issue("Signer"))
    found = judge(signer, authorities.load(folder), now())
    assert found == recall(signer, authorities.load(folder), now())


def test_another_certificate_is_asked_about(pki: Pki, folder: Path, recall: Recall) -> None:
    """Of the same name and key, too."""
    accepted, first = authorities.current(folder), pki.issue("Signer")
    judge(der(first), accepted, now())
    with pytest.raises(AskedAgainError):
        recall(der(pki.issue("Signer", key=first.private())), accepted, now())


@pytest.mark.parametrize("use", [Use("R"), Use(purpose="DIMN")])
def test_another_use_is_asked_about(use: Use, pki: Pki, folder: Path, recall: Recall) -> None:
    """Terms depend on it."""
    signer, accepted = der(pki.issue("Signer")), authorities.current(folder)
    judge(signer, accepted, now())
    with pytest.raises(AskedAgainError):
        recall(signer, accepted, now(), use)


def test_another_policy_is_asked_about(pki: Pki, folder: Path, recall: Recall) -> None:
    """Whether later revocations count changes answers."""
    signer, accepted = der(pki.issue("Signer")), authorities.current(folder)
    judge(signer, accepted, now())
    with pytest.raises(AskedAgainError):
        recall(signer, accepted, now(), later_revocation_counts=True)


def test_a_new_list_that_revokes_is_seen_at_once(pki: Pki, folder: Path) -> None:
    """The next verification refuses."""
    signer = pki.issue("Signer")
    assert isinstance(judge(der(signer), authorities.current(folder), now()), Accepted)
    pki.revoke(signer)
    authorities.replace_crls(folder, "test", pki.crls)
    verdict = judge(der(signer), authorities.current(folder), now())
    assert isinstance(verdict, Fault)
    assert Reason.REVOKED is verdict.reason


def test_a_removed_list_is_seen_at_once(pki: Pki, folder: Path) -> None:
    """What was known is known no more."""
    signer = der(pki.issue("Signer"))
    judge(signer, authorities.current(folder), now())
    authorities.replace_crls(folder, "test", [])
    with pytest.raises(TrustUnavailable):
        judge(signer, authorities.current(folder), now())


def test_a_removed_authority_is_seen_at_once(pki: Pki, folder: Path) -> None:
    """Nobody vouches for its signers."""
    signer = der(pki.issue("Signer"))
    judge(signer, authorities.current(folder), now())
    authorities.remove(folder, "test")
    assert isinstance(judge(signer, authorities.current(folder), now()), Fault)


def test_changed_terms_are_seen_at_once(pki: Pki, folder: Path) -> None:
    """An environment that is taken away."""
    signer = der(pki.issue("Signer"))
    judge(signer, authorities.current(folder), now(), Use("R"))
    (folder / "test" / "authority.toml").write_text('environments = ["T"]\n')
    assert isinstance(judge(signer, authorities.current(folder), now(), Use("R")), Fault)


def test_another_authority_makes_it_forget(pki: Pki, folder: Path, tmp_path: Path, recall: Recall) -> None:
    """Any change of the list does, even one that concerns others."""
    signer = der(pki.issue("Signer"))
    judge(signer, authorities.current(folder), now())
    Pki.create(tmp_path / "other").install(folder, "other")
    with pytest.raises(AskedAgainError):
        recall(signer, authorities.current(folder), now())


@pytest.mark.parametrize(
    ("offset", "terms"),
    [
        (8 * DAY, {}),
        (3 * HOUR, {"revocation_max_age_hours": 3}),
        (-2 * DAY, {}),
        (3 * DAY, {}),
    ],
    ids=["list", "staleness", "not-before", "not-after"],
)
def test_a_decision_ends_where_something_it_rests_on_does(
    offset: timedelta, terms: dict[str, object], pki: Pki, folder: Path, recall: Recall
) -> None:
    """Beyond a list's next update, a staleness limit or a certificate's own dates it is asked again."""
    entry = authorities.add(folder, "other", pki.issuing, [pki.root], pki.crls, check_terms(terms))
    ends = now() + (2 * DAY if offset == 3 * DAY else 300 * DAY)
    signer, accepted = der(pki.issue("Signer", not_after=ends)), Authorities((entry,))
    found = judge(signer, accepted, now())
    assert isinstance(found, Accepted)
    assert found == recall(signer, accepted, now())
    with pytest.raises(AskedAgainError):
        recall(signer, accepted, now() + offset)


@pytest.mark.parametrize("offset", [-5 * HOUR, 5 * HOUR])
def test_a_decision_ends_where_the_acceptance_does(offset: timedelta, pki: Pki, tmp_path: Path) -> None:
    """Before it and after it the terms refuse."""
    terms = check_terms({"accepted_from": now() - 4 * HOUR, "accepted_to": now() + 4 * HOUR})
    entry = authorities.add(tmp_path / "on", "test", pki.issuing, [pki.root], pki.crls, terms)
    signer, accepted = der(pki.issue("Signer")), Authorities((entry,))
    assert isinstance(judge(signer, accepted, now()), Accepted)
    verdict = judge(signer, accepted, now() + offset)
    assert isinstance(verdict, Fault)
    assert Reason.POLICY is verdict.reason


def test_a_decision_ends_where_a_revocation_begins(pki: Pki, folder: Path, recall: Recall) -> None:
    """Good for what was received before, revoked for what came after."""
    signer = pki.issue("Signer", not_before=now() - 9 * DAY)
    pki.revoke(signer, now() - 3 * HOUR)
    authorities.replace_crls(folder, "test", pki.crls)
    accepted = authorities.current(folder)
    found = judge(der(signer), accepted, now() - 5 * HOUR)
    assert isinstance(found, Accepted)
    assert found == recall(der(signer), accepted, now() - 4 * HOUR)
    verdict = judge(der(signer), accepted, now())
    assert isinstance(verdict, Fault)
    assert Reason.REVOKED is verdict.reason


def test_a_later_revocation_counts_where_policy_says_so(pki: Pki, folder: Path) -> None:
    """Received before, revoked since, judged now."""
    signer = pki.issue("Signer", not_before=now() - 9 * DAY)
    pki.revoke(signer, now() - 3 * HOUR)
    authorities.replace_crls(folder, "test", pki.crls)
    verdict = judge(der(signer), authorities.current(folder), now() - 5 * HOUR, later_revocation_counts=True)
    assert isinstance(verdict, Fault)
    assert Reason.REVOKED is verdict.reason


def test_nothing_is_remembered_while_a_list_of_the_future_lies_there(
    pki: Pki, folder: Path, tmp_path: Path, recall: Recall
) -> None:
    """It begins to count when our clock reaches it, not when a submission's moment does."""
    pki.write_crls(this_update=now() + DAY)
    for source in pki.crls:
        (folder / "test" / "crls" / f"future-{source.name}").write_bytes(source.read_bytes())
    signer, accepted = der(pki.issue("Signer")), authorities.current(folder)
    assert isinstance(judge(signer, accepted, now()), Accepted)
    with pytest.raises(AskedAgainError):
        recall(signer, accepted, now())


def test_a_list_of_the_future_counts_when_its_time_has_come(pki: Pki, folder: Path) -> None:
    """For a submission that waited, too: what is asked is when it is judged."""
    signer = pki.issue("Signer")
    pki.revoke(signer, now() - HOUR)
    pki.write_crls(this_update=now() + DAY)
    for source in pki.crls:
        (folder / "test" / "crls" / f"future-{source.name}").write_bytes(source.read_bytes())
    accepted = authorities.current(folder)
    assert isinstance(judge(der(signer), accepted, now(), now=now()), Accepted)
    assert isinstance(judge(der(signer), accepted, now(), now=now() + DAY), Fault)


def test_a_refusal_is_not_remembered(pki: Pki, folder: Path, recall: Recall) -> None:
    """It is found again."""
    signer, accepted = der(pki.issue("Expired", not_after=now() - HOUR)), authorities.current(folder)
    assert isinstance(judge(signer, accepted, now()), Fault)
    with pytest.raises(AskedAgainError):
        recall(signer, accepted, now())


def test_the_memory_is_bounded() -> None:
    """The question that was asked longest ago goes first."""
    decisions, accepted, everybody = Decisions(limit=2), Accepted("test"), Authorities()
    questions = [Question(bytes([number]), Use(), later_revocation_counts=False) for number in range(3)]
    for question in questions[:2]:
        decisions.remember(question, everybody, accepted, now(), [])
    assert decisions.recall(questions[0], everybody, now())
    decisions.remember(questions[2], everybody, accepted, now(), [])
    kept = [decisions.recall(question, everybody, now()) is not None for question in questions]
    assert [True, False, True] == kept


def test_nothing_is_remembered_for_a_turning_point_itself() -> None:
    """On which side of it the decision lies is nobody's to say."""
    decisions, at = Decisions(), now()
    question = Question(b"", Use(), later_revocation_counts=False)
    decisions.remember(question, Authorities(), Accepted("test"), at, [at])
    assert decisions.recall(question, Authorities(), at) is None
