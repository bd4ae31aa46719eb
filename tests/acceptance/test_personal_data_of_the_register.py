"""Nothing that the register, the interface for programs and the broker's questions leave behind says who it was."""

import json
import re
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from gateway import cli
from spool import chain
from spool.journal import open_journal
from spool.register_tables import register_changes
from tests.gateway_process import USER, GatewayProcess, Site, running
from tests.register_world import EMPLOYER

INSS = "79110399569"
WRITTEN = "79.11.03-995.69"
PERSON = {"last_name": "Zzverzonnen", "first_name": "Zzannemie", "emails": ["zz@annemie.example"]}
NAMES = {"Zzverzonnen", "Zzannemie", "zz@annemie.example"}
TYPED = {"zz-typed-at-the-broker-77", "zz-typed-as-a-token-77", "zz-wrong-password-77"}
WHY = ("--reason", f"asked for by {WRITTEN}")


def _commanded(site: Site) -> tuple[str, set[str]]:
    """Enter people, give them passwords and a token, ask about one; answers the token and the passwords."""

    def command(*words: str, typed: str = "") -> str:
        environment = {"GATEWAY_CONFIG": str(site.settings_file)}
        done = CliRunner(env=environment).invoke(cli.gateway, [*words, *WHY], input=typed)
        assert 0 == done.exit_code, done.output
        return done.output

    command("party", "enterprise", "add", EMPLOYER, "Bakkerij")
    named = ("--last-name", PERSON["last_name"], "--first-name", PERSON["first_name"], "--email", PERSON["emails"][0])
    command("party", "rae", EMPLOYER, "bakeryrae", *map(str, named), "--ask-inss", typed=f"{WRITTEN}\n{INSS}\n")
    given = command("party", "password", "give", "bakeryrae")
    token = json.loads(command("token", "give", "bakeryrae", "--json"))["token"]
    first = command("user", "password", "give", USER)
    command("disclosures", typed=f"{INSS}\n")
    return token, {words.splitlines()[0] for words in (given, first)}


def _asked(path: Path, token: str) -> None:
    """Ask the interface with a token and without, in bodies, addresses and questions that name somebody."""
    transport, shown = httpx.HTTPTransport(uds=str(path)), {"Authorization": f"Bearer {token}"}
    body = {"username": "bakeryco1", "person": PERSON | {"inss": INSS}, "reason": WRITTEN}
    with httpx.Client(transport=transport, base_url="http://gateway") as client:
        for headers in (shown, {"Authorization": "Bearer zz-typed-as-a-token-77"}, {}):
            client.post(f"/v1/enterprises/{EMPLOYER}/co-raes", headers=headers, json=body)
            client.post("/v1/persons/search", headers=headers, json=body)
            client.post("/v1/disclosures", headers=headers, json={"inss": INSS, "reason": "x"})
            client.post("/v1/disclosures", headers=headers, content=f'{{"inss": {INSS}, "Zzverzonnen"')
            client.get(f"/v1/persons/{INSS}", headers=headers, params={"last_name": "Zzverzonnen"})
            client.get(f"/Zzverzonnen/{WRITTEN}", headers=headers)


def _typed_at_the_broker(port: int) -> None:
    """What RabbitMQ asks when a password is typed for the name, by the body as it should and by the address too."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for name, password in (
            ("zz-typed-at-the-broker-77", "zz-wrong-password-77"),
            (USER, "zz-wrong-password-77"),
            (INSS, "zz-wrong-password-77"),
        ):
            fields = {"username": name, "password": password}
            for answered in (client.post("/user", data=fields), client.get(f"/user?{urlencode(fields)}")):
                assert (200, "deny") == (answered.status_code, answered.text)
        named = {"username": "zz-typed-at-the-broker-77"}
        client.post("/user", data=named)
        client.post("/vhost", data=named | {"vhost": "/", "ip": "127.0.0.1"})
        client.post("/resource", data=named | {"vhost": "/", "resource": "queue", "name": INSS, "permission": "read"})


def _lines(process: GatewayProcess) -> list[str]:
    """Every line of a gateway that has ended."""
    with pytest.raises(AssertionError, match="ended before"):
        process.wait_for("no such event")
    return [json.dumps(line, ensure_ascii=False) for line in process.seen]


def test_what_is_registered_asked_and_typed_stands_nowhere_else(site: Site, tmp_path: Path) -> None:
    """Of a person no INSS, name or address in the log, the metrics and the events; of passwords nothing anywhere."""
    path = tmp_path / "o"
    site.configure('# socket = "var/operations.socket"', f'socket = "{path}"')
    site.configure("trust_socket = false", "trust_socket = true")
    site.configure("# access_port = 8023", "access_port = 0")
    site.configure('level = "info"', 'level = "debug"')
    with running(site) as process:
        token, passwords = _commanded(site)
        _asked(path, token)
        _typed_at_the_broker(process.saw("access.ready")["port"])
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
            metrics = client.get("http://localhost/metrics").raise_for_status().text
    locks = json.dumps(site.listing("defender", "list", "--all"))
    journal = open_journal(site.settings.journal.place)
    with journal.read() as connection:
        events = [json.dumps([link.name, link.facts], ensure_ascii=False) for link in chain.everything(connection)]
        history = [json.dumps(list(row), ensure_ascii=False) for row in connection.execute(sa.select(register_changes))]
    journal.close()
    logged = _lines(process)
    assert re.search("access.password_refused", "".join(logged))
    assert re.search("operations.answered", "".join(logged))
    assert len(history) > 5
    hidden = {INSS, WRITTEN, token} | passwords | TYPED
    for text in (*logged, metrics, locks, *events, *history):
        assert [] == [mark for mark in sorted(hidden) if mark in text], text
    for text in (*logged, metrics, *events):
        assert [] == [name for name in sorted(NAMES) if name in text], text
