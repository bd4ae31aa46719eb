"""One request for every operation of the interface, about the employer of the world, and who may make it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from structlog.testing import capture_logs

from config.administration import Operations
from gateway.operations.operation import Operation, Read
from gateway.operations.table import OPERATIONS
from gateway.register.rights import Act, Role
from spool.journal import open_journal
from tests.authority import Credential
from tests.register_world import EMPLOYER, NOBODY, ForgetfulJournal, World, make_world, served, settings_in
from tests.rights_table import TABLE

PEOPLE: Final = {
    "alpharae": Role.RAE,
    "alphacorae": Role.CO_RAE,
    "alphagl1": Role.GL,
    "alphacogl": Role.CO_GL,
    "alphauser": Role.USER,
}
STRANGERS: Final = ("betasrae", "gammarae")
WHY: Final = {"reason": "to see what is answered"}
KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBmT1Yn4TKT1mNxTHSnpK0FvF8mrrj0HhQ9vXAGvhxeK"
FINGERPRINT: Final = f"SHA256:{'A' * 43}"
SECRET: Final = ("alpha", EMPLOYER)
"""What is in all that a stranger must not see."""


@dataclass(frozen=True, slots=True)
class Try:
    """A request about the employer's things, and who may make it.

    ``act`` is the row of the table of rights that it is judged by; ``others`` what those answer who are of the
    enterprise but have no such right.  ``own`` is the user who may because it is about him.  ``status`` is what is
    answered to those who may.
    """

    place: Mapping[str, object]
    act: Act | None
    body: Mapping[str, Any] | None = None
    own: str | None = None
    status: int = 200
    others: int = 403
    strangers: int = 404


NEW: Final = {"username": "alphanew1", "person": {"last_name": "Alphanew", "first_name": "Some"}, **WHY}
OF_A: Final = {"enterprise": EMPLOYER}
QUALITY: Final = {"quality": 1}
USER: Final = {"username": "alphauser"}
COGL: Final = {"quality": 1, "username": "alphacogl"}
IN_A: Final = {"quality": 1, "username": "alphauser"}
TECHNICAL: Final = {"username": "alphatech"}
SENDER: Final = {"sender": "000001"}
HOSPITAL: Final = {"kind": "hospital", **WHY}
CHOICE: Final = {"recipient": 1, "purpose": "DMFN", "environment": "R", "channel": "sftp", **WHY}

TRIES: Final = {
    "showMe": Try({}, Act.OWN, strangers=200),
    "listTokens": Try({}, Act.OWN, strangers=200),
    "giveToken": Try({}, None, {"username": "alphauser", "label": "payroll", **WHY}, others=404),
    "revokeToken": Try({"token": "0" * 12}, Act.OWN, WHY, status=404),
    "listEnterprises": Try({}, None, others=404),
    "showEnterprise": Try(OF_A, Act.SEE_ENTERPRISE),
    "showChanges": Try(OF_A, Act.SEE_ENTERPRISE),
    "registerEnterprise": Try(OF_A, None, {"name": "Alphamark", **WHY}, strangers=403),
    "announceQuality": Try(OF_A, None, HOSPITAL, strangers=403),
    "activateQuality": Try(OF_A, Act.ACTIVATE_QUALITY, HOSPITAL),
    "nameRae": Try(OF_A, None, NEW),
    "addCoRae": Try(OF_A, Act.MANAGE_CO_RAES, NEW),
    "endCoRae": Try({**OF_A, "username": "alphacorae"}, Act.MANAGE_CO_RAES, WHY),
    "showQuality": Try(QUALITY, Act.CHANGE_QUALITY),
    "closeQuality": Try(QUALITY, None, WHY),
    "openChannel": Try(QUALITY, Act.CHANGE_QUALITY, {"channel": "mq", "environment": "R", **WHY}),
    "closeChannel": Try(QUALITY, Act.CHANGE_QUALITY, {"channel": "sftp", "environment": "R", **WHY}),
    "nameGl": Try(QUALITY, Act.NAME_GL, NEW),
    "addCoGl": Try(QUALITY, Act.MANAGE_CO_GLS, NEW),
    "endCoGl": Try(COGL, Act.MANAGE_CO_GLS, WHY),
    "addUser": Try(QUALITY, Act.MANAGE_USERS, {**NEW, "applications": ["DMFA"]}),
    "setAccess": Try(IN_A, Act.MANAGE_USERS, {"applications": ["DIMN"], **WHY}),
    "endUser": Try(IN_A, Act.MANAGE_USERS, WHY),
    "searchPersons": Try({}, Act.MANAGE_USERS, {"last_name": "mark"}, strangers=200),
    "showPerson": Try(USER, Act.MANAGE_USERS, own="alphauser"),
    "editPerson": Try(USER, Act.MANAGE_USERS, {"language": "nl", **WHY}, own="alphauser"),
    "blockPerson": Try(USER, Act.MANAGE_USERS, WHY),
    "unblockPerson": Try(USER, Act.MANAGE_USERS, WHY),
    "deletePerson": Try(USER, Act.MANAGE_USERS, WHY),
    "reportPersonLost": Try(USER, Act.MANAGE_USERS, WHY, own="alphauser"),
    "givePersonPassword": Try(USER, Act.MANAGE_USERS, WHY),
    "nameTechnicalUser": Try(QUALITY, Act.NAME_TECHNICAL_USER, {"username": "alphatech", **WHY}),
    "blockTechnicalUser": Try(TECHNICAL, Act.NAME_TECHNICAL_USER, WHY),
    "unblockTechnicalUser": Try(TECHNICAL, Act.NAME_TECHNICAL_USER, WHY),
    "deleteTechnicalUser": Try(TECHNICAL, Act.NAME_TECHNICAL_USER, WHY),
    "reportTechnicalUserLost": Try(TECHNICAL, Act.NAME_TECHNICAL_USER, WHY),
    "giveTechnicalUserPassword": Try(TECHNICAL, Act.NAME_TECHNICAL_USER, WHY),
    "listKeys": Try(TECHNICAL, Act.NAME_TECHNICAL_USER),
    "addKey": Try(TECHNICAL, Act.NAME_TECHNICAL_USER, {"key": KEY, **WHY}),
    "endKey": Try(TECHNICAL, Act.NAME_TECHNICAL_USER, {"key": FINGERPRINT, **WHY}, status=404),
    "listCertificates": Try(SENDER, Act.CHANGE_QUALITY),
    "addCertificate": Try(SENDER, Act.CHANGE_QUALITY, {"certificate": "PEM", **WHY}),
    "endCertificate": Try({**SENDER, "certificate": "0" * 64}, Act.CHANGE_QUALITY, WHY, status=404),
    "listMandates": Try(QUALITY, Act.CHANGE_QUALITY),
    # It has a provider: there is no room for another.
    "giveMandate": Try(QUALITY, Act.CHANGE_QUALITY, {"provider": 2, "means": "provider", **WHY}, status=409),
    "endMandate": Try({"mandate": 1}, Act.CHANGE_QUALITY, WHY),
    "listChoices": Try(QUALITY, Act.CHANGE_QUALITY),
    "explainRouting": Try({**QUALITY, "purpose": "NOTI", "environment": "R"}, Act.CHANGE_QUALITY),
    "choose": Try(QUALITY, Act.CHOOSE_ROUTING, CHOICE),
    "endChoice": Try({"choice": 1}, Act.CHOOSE_ROUTING, WHY),
    "listChanges": Try({}, None, others=404),
    "askDisclosures": Try({}, None, {"inss": "79110399569", **WHY}, others=404),
}
ELSEWHERE: Final[dict[str, object]] = {
    "enterprise": NOBODY,
    "quality": 999,
    "username": "nobody123",
    "sender": "999998",
    "mandate": 999,
    "choice": 999,
}
"""In place of each name of something of the employer's: the name of nothing."""


@dataclass(frozen=True, slots=True)
class Interface:
    """The interface as it is served to everybody."""

    world: World
    client: httpx.Client
    certificate: str

    def ask(
        self, row: Operation, attempt: Try, who: str | None, place: Mapping[str, object] | None = None
    ) -> httpx.Response:
        """What ``who`` is answered to ``attempt``, at its place or another."""
        names = dict(attempt.place if place is None else place)
        path = row.path.format(**names)
        query = {name: str(value) for name, value in names.items() if f"{{{name}}}" not in row.path}
        shown = {} if who is None else self.world.shown(who)
        if isinstance(row, Read):
            return self.client.get(path, headers=shown, params=query)
        body = dict(attempt.body or {})
        if "certificate" in body:
            body["certificate"] = self.certificate
        return self.client.request(row.method, path, headers=shown, json=body)


@contextmanager
def forgetful(folder: Path, signer: Credential) -> Iterator[Interface]:
    """An interface that forgets."""
    journal = open_journal(folder / "journal.sqlite3", create=True)
    world = make_world(journal)
    # A few hundred lines of the log that nobody reads.
    settings = settings_in(folder, Operations(port=0))
    with (
        capture_logs(),
        served(settings, ForgetfulJournal.like(journal)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        yield Interface(world, client, signer.certificate.read_text())
    journal.close()


def named(name: str) -> Operation:
    """The row of that name."""
    return next(row for row in OPERATIONS if row.name == name)


def may(attempt: Try, who: str) -> bool:
    """Whether the table of rights lets somebody of the employer's make this attempt."""
    return who == attempt.own or (attempt.act is not None and TABLE[attempt.act][PEOPLE[who]])
