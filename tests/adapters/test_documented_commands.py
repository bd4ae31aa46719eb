"""Every command line of the handbook is typed by a test, or stands in a list with the reason why none can."""

import ast
import asyncio
import re
import shlex
import shutil
from functools import cache
from pathlib import Path

import click
import pytest

from gateway.cli import gateway
from tests.authority import Credential, Pki
from tests.documented_commands import (
    COMMANDS,
    ELSEWHERE,
    NEVER,
    OTHERS,
    PAGES,
    ROOT,
    Block,
    blocks,
    elsewhere,
    never,
    typed_here,
)
from tests.gateway_process import make_test_site
from tests.operators_desk import Desk, furnish, lay_out

_TYPED = [page for page in PAGES if typed_here(page)]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, pki: Pki, signer: Credential) -> Desk:
    """A site that nobody types at; every page has a copy."""
    site = make_test_site(tmp_path_factory.mktemp("house"), pki, signer)
    tickets = asyncio.run(furnish(site))
    files = site.folder.parent / "files"
    lay_out(site, files, pki, signer)
    return Desk(site.folder, files, tickets)


@pytest.fixture
def desk(house: Desk, tmp_path: Path) -> Desk:
    """A site of its own."""
    copied = shutil.copytree(house.folder, tmp_path / "site")
    shutil.copytree(house.files, copied, dirs_exist_ok=True)
    return Desk(copied, house.files, house.tickets)


def _prepare(page: str, desk: Desk) -> None:
    """What a page takes for granted besides the files."""
    if page == "docs/situations.md":
        (desk.folder / "authorities" / "test").rename(desk.folder / "authorities" / "staff")
    if page == "docs/bulk.md":
        [example] = [block.text for block in blocks(page) if block.language == "json"]
        (desk.folder / "parties.json").write_text(example)
        elsewhere_done = Desk(desk.folder.parent / "elsewhere", desk.files, {})
        elsewhere_done.folder.mkdir()
        (elsewhere_done.folder / "parties.json").write_text(example)
        elsewhere_done.type("gateway init new && cd new")
        shutil.copy(desk.folder / "parties.json", elsewhere_done.folder)
        elsewhere_done.type('gateway party import parties.json --reason "start of the site"')
        elsewhere_done.type("gateway party export folder/")
        elsewhere_done.type("gateway party export - --kind mandates > affiliations.csv")
        shutil.copytree(elsewhere_done.folder / "folder", desk.folder / "folder")
        shutil.copy(elsewhere_done.folder / "affiliations.csv", desk.folder)


def _is_to_type(block: Block, line: str) -> bool:
    return block.language in COMMANDS and elsewhere(block.page, line) is None and never(line) is None


@pytest.mark.parametrize("page", _TYPED)
def test_every_command_line_of_a_page_works(page: str, desk: Desk) -> None:
    """One after the other, as they stand there; pieces of settings among them are taken over."""
    _prepare(page, desk)
    for block in blocks(page):
        if block.language == "toml" and page == "docs/situations.md":
            desk.set(block.text)
        for line in block.lines:
            if _is_to_type(block, line):
                desk.type(line)
    assert typed_here(page) == desk.typed


def test_every_block_says_what_it_is() -> None:
    """A block without a word, or with another, might be a command that nobody tries."""
    odd = [
        (page, block.language) for page in PAGES for block in blocks(page) if block.language not in COMMANDS | OTHERS
    ]
    assert [] == odd
    assert [] == [(page, block.text) for page in PAGES for block in blocks(page) if block.hides_commands]


@cache
def _tests_of(path: str) -> frozenset[str]:
    nodes = ast.parse((ROOT / path).read_bytes()).body
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_no_exception_is_left_over() -> None:
    """Each row of both lists is of a line that there is, and the tests that they name exist."""
    lines = [
        (page, line) for page in PAGES for block in blocks(page) if block.language in COMMANDS for line in block.lines
    ]
    used = {elsewhere(page, line) for page, line in lines}
    assert [] == [row for row in ELSEWHERE if row not in used]
    assert [] == [begin for begin in NEVER if begin not in {never(line) for _, line in lines}]
    for row in ELSEWHERE:
        path, _, name = row.test.partition("::")
        assert name in _tests_of(path), row.test
    assert all(NEVER.values())


def _command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that words lead to, and what follows."""
    command: click.Command = gateway
    rest = list(words)
    while rest and isinstance(command, click.Group):
        found = command.get_command(click.Context(command), rest[0])
        if found is None:
            break
        command, rest = found, rest[1:]
    return command, rest


def _named(page: str) -> list[str]:
    """What a page names as a command in the middle of a sentence."""
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [" ".join(found.split()) for found in re.findall(r"`gateway ([a-z][^`]*)`", text)]


@pytest.mark.parametrize("page", [page for page in PAGES if _named(page) and "decisions" not in page])
def test_what_a_page_names_is_there(page: str) -> None:
    """Of each command in a sentence, the command and its options; a decision names them as they were then."""
    for line in _named(page):
        try:
            words = shlex.split(line.replace("…", ""))
        except ValueError:
            words = line.split()
        command, rest = _command(words)
        assert command is not gateway, (page, line)
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        if isinstance(command, click.Group):
            assert not rest or rest[0].startswith("--"), (page, line)
        assert not {word.split("=")[0] for word in rest if word.startswith("--")} - known, (page, line)


def _untyped() -> list[tuple[str, str]]:
    """Lines that begin with our command and are typed with other names elsewhere, or by nobody."""
    found = []
    for page in PAGES:
        for block in blocks(page):
            for line in block.lines if block.language in COMMANDS else ():
                test = elsewhere(page, line)
                if line.startswith("gateway ") and (never(line) or (test is not None and test.like)):
                    found.append((page, line))
    return found


def test_what_nobody_types_as_it_stands_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command takes these words and options, whatever it would make of them."""
    (tmp_path / "published").mkdir()
    monkeypatch.chdir(tmp_path)
    assert _untyped()
    for page, line in _untyped():
        command, rest = _command(shlex.split(re.split("[|<>;]", line)[0])[1:])
        assert not isinstance(command, click.Group), (page, line)
        command.make_context("gateway", rest)


def _unit_file(unit: str) -> str:
    """The file of a unit as systemctl takes it: a service where nothing else is said, one template for all roles."""
    named = unit if unit.endswith((".service", ".socket", ".target")) else f"{unit}.service"
    return re.sub(r"@[a-z]+\.", "@.", named)


@pytest.mark.parametrize("page", [page for page in PAGES if "systemctl" in (ROOT / page).read_text(encoding="utf-8")])
def test_units_that_a_page_names_are_there(page: str) -> None:
    """Those behind ``systemctl``, in blocks and in sentences."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = re.findall(r"systemctl [^`\n#]+", text)
    units = {unit for line in lines for unit in re.findall(r"batch-gateway[\w@.-]*\w", line)}
    assert [] == [unit for unit in sorted(units) if not (ROOT / "systemd" / _unit_file(unit)).is_file()]
