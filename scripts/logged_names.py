"""Which events does the source log, and which does it write into the journal?

Read off the syntax trees of the rooms, nothing is imported or run.  The name of an event has to be a text that stands
there: as it is, as one of two, in a constant or a table of the module, or handed to the function that logs it, by each
of its callers.  What cannot be found so is an error, with its place: then nobody who searches for an event finds it.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
ROOMS: Final = ("gateway", "channels", "spool", "signing", "schemas", "config")
LEVELS: Final = frozenset({"debug", "info", "warning", "error", "critical"})
_LOGGERS: Final = ("log", "_log")
_JOURNAL: Final = "journal"
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class UnnamedEventError(Exception):
    """The name of an event cannot be found at a place in the source."""


@dataclass(slots=True)
class Found:
    """An event: levels (or ``journal``), fields that stand at its calls, whether there may be more, and its places."""

    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    is_open: bool = False
    places: set[str] = field(default_factory=set)


class _Module:
    """A file: its tree, who is whose parent in it, its constants, and what it imports under which name."""

    def __init__(self, path: Path) -> None:
        self.path = path.relative_to(ROOT)
        dotted = self.path.with_suffix("").parts
        self.name = ".".join(dotted[:-1] if dotted[-1] == "__init__" else dotted)
        self.nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        self.parents = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}
        self.named = [(_last(node.func), node) for node in self.nodes if isinstance(node, ast.Call)]
        self.constants: dict[str, ast.expr] = {}
        self.imported: dict[str, str] = {}
        for node in self.nodes:
            match node:
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    self.constants.setdefault(name, value)
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if self.function(node) is None:
                    self.constants.setdefault(name, value)
                case ast.ImportFrom(module=str() as module):
                    self.imported |= {one.asname or one.name: f"{module}.{one.name}" for one in node.names}

    def calls(self, name: str) -> Iterator[ast.Call]:
        """The calls of what is called ``name``, whosesoever it is."""
        return (call for last, call in self.named if last == name)

    def function(self, node: ast.AST) -> _Function | None:
        """The function around ``node``."""
        above = self.parents.get(node)
        while above is not None and not isinstance(above, _FUNCTIONS):
            above = self.parents.get(above)
        return above

    def place(self, node: ast.expr) -> str:
        return f"{self.path}:{node.lineno}"


@dataclass(frozen=True, slots=True)
class _Said:
    """A name, with the fields of the call that brought it."""

    name: str
    fields: frozenset[str] = frozenset()
    is_open: bool = False


class Source:
    """Every module of the rooms."""

    def __init__(self) -> None:
        paths = (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")))
        self.modules = {module.name: module for module in map(_Module, paths)}
        self.unnamed: list[str] = []

    def events(self) -> tuple[Mapping[str, Found], Mapping[str, Found]]:
        """What is logged, and what is written into the journal, by name.

        What cannot be found stands in ``unnamed`` afterwards.
        """
        logged: dict[str, Found] = {}
        noted: dict[str, Found] = {}
        for module in self.modules.values():
            for _, call in module.named:
                for levels, name in self._told(module, call):
                    told = noted if levels == {_JOURNAL} else logged
                    self._add(told, module, call, levels, name)
        return logged, noted

    def _add(self, told: dict[str, Found], module: _Module, call: ast.Call, levels: set[str], name: ast.expr) -> None:
        try:
            names = self._names(module, name)
        except UnnamedEventError as fault:
            self.unnamed.append(str(fault))
            return
        for said in names:
            found = told.setdefault(said.name, Found())
            found.levels |= levels
            found.fields |= said.fields | _fields(call)
            # A logger that is kept may be bound to more, and facts that are a table are not read.
            more = _is_open(call) or _last(call.func) == "append" or ast.unparse(call.func).startswith("self.")
            found.is_open |= said.is_open or more
            found.places.add(module.place(call))

    def _told(self, module: _Module, call: ast.Call) -> Iterator[tuple[set[str], ast.expr]]:
        """The levels and the expression with the name, if that is a call that tells of an event."""
        levels = _levels(module, call.func)
        words = ast.unparse(call.func) if _last(call.func) in {"note", "append"} else ""
        if levels and call.args:
            yield levels, call.args[0]
        elif words in {"note", "submissions.note", "journal_of.note"} and len(call.args) > 2:
            yield {_JOURNAL}, call.args[2]
        elif words == "chain.append" and not _is_note(module.function(call)):
            yield from (
                ({_JOURNAL}, row.elts[2]) for row in ast.walk(call) if isinstance(row, ast.Tuple) and len(row.elts) == 4
            )

    def _names(self, module: _Module, said: ast.expr) -> list[_Said]:
        match said:
            case ast.Constant(value=str() as name):
                return [_Said(name)]
            case ast.IfExp(body=one, orelse=other):
                return self._names(module, one) + self._names(module, other)
            case ast.Dict(values=values):
                return [each for value in values for each in self._names(module, value)]
            case ast.Subscript(value=inner) | ast.FormattedValue(value=inner):
                return self._names(module, inner)
            case ast.JoinedStr(values=parts):
                return self._joined(module, parts)
            case ast.Name():
                return self._named(module, said)
        raise UnnamedEventError(f"{module.place(said)}: {ast.unparse(said)} is no name of an event")

    def _joined(self, module: _Module, parts: list[ast.expr]) -> list[_Said]:
        return [
            _Said(
                "".join(one.name for one in chosen),
                frozenset().union(*(one.fields for one in chosen)),
                any(one.is_open for one in chosen),
            )
            for chosen in product(*(self._names(module, part) for part in parts))
        ]

    def _named(self, module: _Module, said: ast.Name) -> list[_Said]:
        name = said.id
        function = module.function(said)
        if function is not None:
            here = [
                node.value
                for node in ast.walk(function)
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
            ]
            if here:
                return [each for value in here for each in self._names(module, value)]
            if name in _parameters(function):
                return list(self._handed(module, function, name))
        where: _Module | None = module
        while where is not None:
            if name in where.constants:
                return self._names(where, where.constants[name])
            origin, _, name = where.imported.get(name, "").rpartition(".")
            where = self.modules.get(origin)
        raise UnnamedEventError(f"{module.place(said)}: nobody says what {said.id} is")

    def _handed(self, module: _Module, function: _Function, name: str) -> Iterator[_Said]:
        """What the callers of ``function`` hand over as ``name``."""
        names = _parameters(function)
        is_method = names[0] == "self"
        at = names.index(name) - is_method
        for caller in self.modules.values():
            for call in caller.calls(function.name):
                if not _is_call_of(caller, call, module, function.name, is_method=is_method):
                    continue
                given = call.args[at] if at < len(call.args) else _keyword(call, name) or _default(function, name)
                more = _fields(call) - set(names)
                for said in self._names(caller if given not in function.args.defaults else module, given):
                    yield _Said(said.name, said.fields | more, said.is_open)


def _is_note(function: _Function | None) -> bool:
    """Whether that is what the others note with, which is told the names."""
    return function is not None and function.name == "note"


def _last(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _levels(module: _Module, function: ast.expr) -> set[str]:
    """The levels at which a call of ``function`` logs; none if it does not log."""
    match function:
        case ast.Attribute(value=logger, attr=level) if level in LEVELS:
            return {level} if ast.unparse(logger).removeprefix("self.") in _LOGGERS else set()
        case ast.IfExp(body=one, orelse=other):
            return _levels(module, one) | _levels(module, other)
        case ast.Name(id=name) if (around := module.function(function)) is not None:
            choices = (
                node.value
                for node in ast.walk(around)
                if isinstance(node, ast.Assign)
                and ast.unparse(node.targets[0]) == name
                and isinstance(node.value, ast.IfExp)
            )
            return {level for choice in choices for level in _levels(module, choice)}
    return set()


def _is_call_of(caller: _Module, call: ast.Call, module: _Module, name: str, *, is_method: bool) -> bool:
    words = ast.unparse(call.func)
    if is_method:
        return caller is module and words == f"self.{name}"
    full = f"{module.name}.{name}"
    if words == name:
        return caller is module or caller.imported.get(name) == full
    owner, _, last = words.rpartition(".")
    return last == name and caller.imported.get(owner) == module.name


def _parameters(function: _Function) -> list[str]:
    given = function.args
    return [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


def _default(function: _Function, name: str) -> ast.expr:
    positional = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    return function.args.defaults[positional.index(name) - len(positional)]


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((each.value for each in call.keywords if each.arg == name), None)


def _fields(call: ast.Call) -> set[str]:
    return {each.arg for each in call.keywords if each.arg is not None}


def _is_open(call: ast.Call) -> bool:
    return any(each.arg is None for each in call.keywords)
