"""Metrics, alert rules and dashboard as documented: they speak of what exists, and the rules do what they say."""

import json
import re
import subprocess
from pathlib import Path

import click
import pytest

from gateway.cli import gateway
from scripts import metric_list
from scripts.metric_list import ALERTS, DOCUMENT

PROMETHEUS = ALERTS.parent
NAME = re.compile(r"\bgateway_\w+")


def test_the_document_is_current() -> None:
    """After a change of metrics or rules: `python -m scripts.metric_list`."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert metric_list.current(text) == text


@pytest.mark.parametrize("file", ["alerts.yml", "alerts_test.yml"])
def test_rules_ask_for_metrics_that_exist(file: str) -> None:
    """A question for another would never be answered, and the alert never fire."""
    asked = set(NAME.findall((PROMETHEUS / file).read_text(encoding="utf-8")))
    assert asked
    assert asked <= metric_list.names()


def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    """In every question of every panel; those of the process are the library's."""
    board = json.loads((PROMETHEUS / "dashboard.json").read_text(encoding="utf-8"))
    known = metric_list.names()
    questions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    for question in questions:
        found = set(NAME.findall(question))
        assert found <= known
        assert found or "process_" in question
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_every_alert_says_what_to_do_and_is_shown_to_fire() -> None:
    """And to be silent at a gateway that is well."""
    rules = list(metric_list.rules())
    shown = (PROMETHEUS / "alerts_test.yml").read_text(encoding="utf-8")
    healthy = shown.partition("- name: healthy")[2]
    assert len(rules) == ALERTS.read_text(encoding="utf-8").count("- alert: ")
    for rule in rules:
        assert rule["severity"] in {"page", "ticket"}
        assert rule["runbook"]
        assert f"- name: {rule['alert']}\n" in shown
        assert f"alertname: {rule['alert']}\n" in healthy


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    """In the order of the rules, at the place that the rule links to, with steps."""
    page = (PROMETHEUS.parent / "runbooks.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## (\w+)\n+[^\n1][^#]*?\n\n1\. ", page, re.MULTILINE)
    assert [rule["alert"] for rule in metric_list.rules()] == titles
    assert page.count("\n## ") == len(titles)
    for rule in metric_list.rules():
        assert f"docs/runbooks.md#{rule['alert'].lower()}" == rule["runbook_url"]
    for anchor in re.findall(r"\(#([a-z-]+)\)", page):
        assert anchor in {title.lower() for title in titles}


@pytest.mark.parametrize("words", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")])
def test_promtool_finds_the_rules_good(words: tuple[str, ...], tmp_path: Path) -> None:
    """Prometheus's own program; it writes into its folder."""
    for file in ("alerts.yml", "alerts_test.yml"):
        (tmp_path / file).write_bytes((PROMETHEUS / file).read_bytes())
    done = subprocess.run(["promtool", *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", [ALERTS, PROMETHEUS.parent / "runbooks.md", PROMETHEUS.parent / "events.md"])
def test_what_there_is_to_do_can_be_done(file: Path) -> None:
    """Every command of a rule, a runbook and the list of events exists."""
    named = re.findall(r"`gateway ([a-z -]+?)(?: TICKET| --state \w+)?`", file.read_text(encoding="utf-8"))
    assert {"mq check", "authority revocation"} <= set(named)
    for words in named:
        command: click.Command = gateway
        for word in words.split():
            assert isinstance(command, click.Group)
            command = command.commands[word]
