"""The command lines of the handbook: what stands in its blocks, what another test types, and what no test can type."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_OUTSIDE: Final = ("README.md", "CONTRIBUTING.md", "spool/README.md")
PAGES: Final = (
    *_OUTSIDE,
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")),
)
"""Every page of the handbook but the change log, by its path in the repository."""

COMMANDS: Final = frozenset({"sh", "console"})
OTHERS: Final = frozenset({"text", "toml", "json", "yaml", "ini", "python", "xml", "bat", "{toctree}", "{image}"})
"""What a block may be: command lines, or one of the others."""

_BLOCK: Final = re.compile(
    r"^ *(?P<fence>```+)(?P<language>[^\n`]*)\n(?P<text>.*?)^ *(?P=fence)$", re.DOTALL | re.MULTILINE
)
_TYPED: Final = re.compile(
    r"^ *(\$ |(gateway|ssh|sftp|scp|pip|openssl|systemctl|python|scripts/\S+|sudo|curl|apt\S*) )", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    text: str

    @property
    def hides_commands(self) -> bool:
        """Whether something in it looks like a command line, and it doesn't say so."""
        return self.language == "text" and _TYPED.search(self.text) is not None

    @property
    def lines(self) -> tuple[str, ...]:
        """Its command lines: what goes on over several is one, comments are none."""
        whole = self.text.replace("\\\n", " ")
        typed = (re.sub(r"\s+# .*$", "", line.removeprefix("$ ")).strip() for line in whole.splitlines())
        return tuple(line for line in typed if line and not line.startswith("#"))


def blocks(page: str) -> Iterator[Block]:
    """Every fenced block of a page, in its order."""
    for found in _BLOCK.finditer((ROOT / page).read_text(encoding="utf-8")):
        yield Block(page, (found["language"].split() or [""])[0], found["text"])


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Lines of some pages that another test types, as they stand there or, where ``like`` says so, with other names."""

    pages: str
    begins: str
    test: str
    like: bool = False


ELSEWHERE: Final = (
    Elsewhere(r"docs/administration\.md", "", "tests/acceptance/test_administration_page.py::test_every_command_works"),
    Elsewhere(r"docs/senders(\.\w\w)?\.md", "", "tests/adapters/test_sender_page.py::test_every_command_line_works"),
    Elsewhere(r"docs/trust\.md", "gateway ", "tests/stages/test_trust_document.py::test_every_command_works"),
    Elsewhere(
        r"docs/mq\.md",
        "openssl cms ",
        "tests/acceptance/test_mq_clients.py::test_a_client_of_the_page_sends_a_submission_and_reads_its_answer",
    ),
    Elsewhere(
        r"docs/mq\.md",
        "amqp-",
        "tests/acceptance/test_mq_clients.py::test_a_client_of_the_page_sends_a_submission_and_reads_its_answer",
    ),
    # A broker, or a working gateway, is more than this module starts.
    Elsewhere(
        r".*",
        "gateway mq ",
        "tests/adapters/test_mq_command.py::test_check_says_what_is_missing_and_declare_makes_it",
        like=True,
    ),
    Elsewhere(
        r".*",
        "gateway health",
        "tests/adapters/test_observing.py::test_the_socket_may_be_trusted_and_people_ask_by_command",
        like=True,
    ),
    Elsewhere(
        r".*",
        "gateway doctor",
        "tests/acceptance/test_changed_while_running.py::test_what_changes_under_a_gateway_is_said_done_and_seen",
        like=True,
    ),
    Elsewhere(
        r".*",
        "gateway logs ",
        "tests/adapters/test_logs_command.py::test_without_files_it_is_journald",
        like=True,
    ),
    Elsewhere(
        r".*",
        "gateway reload",
        "tests/acceptance/test_changed_while_running.py::test_what_changes_under_a_gateway_is_said_done_and_seen",
        like=True,
    ),
    Elsewhere(
        r".*",
        "gateway schemas ",
        "tests/adapters/test_types_command.py::test_a_type_is_added_changed_and_removed",
        like=True,
    ),
    Elsewhere(
        r".*",
        "gateway ebox ",
        "tests/acceptance/test_way_back.py::test_messages_of_institutions_reach_their_recipients_once",
        like=True,
    ),
)

NEVER: Final = {
    "systemctl ": "there is no systemd where the tests run; the units are held by tests/acceptance/test_install.py",
    "systemd-run ": "there is no systemd where the tests run",
    "scripts/demo": "takes minutes; it is a test by itself, whose exit status says whether all of it worked",
    "scripts/test": "is what runs this test",
    "scripts/install": "changes /opt and /etc; scripts/test-install types it, with those hidden",
    "scripts/bundle": "downloads every wheel from the index; scripts/test-install types it, where that answers",
    "/srv/gateway-bundle/install": "changes /opt and /etc; scripts/test-install types it, with those hidden",
    "/opt/batch-gateway/current/": "changes /opt and /etc; scripts/test-install types it, with those hidden",
    "gateway serve": "goes on until it is stopped; tests/gateway_process.py starts it for every acceptance test",
    "export PATH=": "is of the shell that it is typed in",
    "rabbitmqctl ": "wants the broker's own user; tests/guarded_broker.py does the same over its interface",
    "pip install ": "changes the environment that the tests run in; a test without the extra says what is missing",
    "ssh -L ": "goes on until it is stopped, and wants a second host",
    "python -m benchmarks.": "takes minutes to hours; the figures are in docs/",
}
"""What no test types, by how it begins, with the reason."""


def elsewhere(page: str, line: str) -> Elsewhere | None:
    """The test that types a line, if there is one."""
    fits = (row for row in ELSEWHERE if re.fullmatch(row.pages, page) and line.startswith(row.begins))
    return next(fits, None)


def never(line: str) -> str | None:
    """How a line begins that no test types."""
    return next((begin for begin in NEVER if line.startswith(begin)), None)


def typed_here(page: str) -> list[str]:
    """The lines of a page that are typed by nobody else, in their order."""
    found = (line for block in blocks(page) if block.language in COMMANDS for line in block.lines)
    return [line for line in found if elsewhere(page, line) is None and never(line) is None]
