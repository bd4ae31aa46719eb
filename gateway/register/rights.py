"""What does each role give the right to?  Pure.

This is the network's table of user management, row by row and cell by cell, and nothing else; an operator stands above
it.  Where the table is silent, ``docs/decisions/0015-what-the-table-does-not-say.md`` says what was decided.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a person is in an enterprise (RAE and Co-RAE) or in one of its qualities (the others)."""

    RAE = "rae"
    CO_RAE = "co-rae"
    GL = "gl"
    CO_GL = "co-gl"
    USER = "user"


class Act(StrEnum):
    """A row of the table."""

    ACTIVATE_QUALITY = "activate-quality"
    NAME_GL = "name-gl"
    MANAGE_CO_RAES = "manage-co-raes"
    MANAGE_CO_GLS = "manage-co-gls"
    MANAGE_USERS = "manage-users"
    NAME_TECHNICAL_USER = "name-technical-user"
    CHANGE_QUALITY = "change-quality"
    SEE_ENTERPRISE = "see-enterprise"
    CHOOSE_ROUTING = "choose-routing"
    OWN = "own"


OF_ENTERPRISE: Final = frozenset({Role.RAE, Role.CO_RAE})
"""The roles held in the enterprise as a whole; they hold in each of its qualities."""

_IN_QUALITY: Final = OF_ENTERPRISE | {Role.GL, Role.CO_GL}

RIGHTS: Final[Mapping[Act, frozenset[Role]]] = {
    Act.ACTIVATE_QUALITY: OF_ENTERPRISE,
    Act.NAME_GL: OF_ENTERPRISE,
    Act.MANAGE_CO_RAES: frozenset({Role.RAE}),
    Act.MANAGE_CO_GLS: OF_ENTERPRISE | {Role.GL},
    Act.MANAGE_USERS: _IN_QUALITY,
    Act.NAME_TECHNICAL_USER: _IN_QUALITY,
    Act.CHANGE_QUALITY: _IN_QUALITY,
    Act.SEE_ENTERPRISE: OF_ENTERPRISE,
    Act.CHOOSE_ROUTING: frozenset({Role.GL, Role.CO_GL}),
    Act.OWN: frozenset(Role),
}
"""Which roles have the right to which acts; in a quality a role counts that is held in it or in its enterprise."""

MANAGED_BY: Final[Mapping[Role, Act | None]] = {
    Role.RAE: None,
    Role.CO_RAE: Act.MANAGE_CO_RAES,
    Role.GL: Act.NAME_GL,
    Role.CO_GL: Act.MANAGE_CO_GLS,
    Role.USER: Act.MANAGE_USERS,
}
"""By which right somebody with a role is managed; nobody but an operator manages the RAE."""

EVERYTHING: Final = "*"
"""The name for all applications of a quality."""

_APPLICATION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{1,39}")
_MOST_APPLICATIONS: Final = 100


def read_applications(names: Iterable[str]) -> frozenset[str] | None:
    """An access by the names of its applications (purposes of messages among them), or None if these are none."""
    wanted = frozenset(names)
    if EVERYTHING in wanted:
        return frozenset({EVERYTHING})
    good = len(wanted) <= _MOST_APPLICATIONS and all(map(_APPLICATION.fullmatch, wanted))
    return wanted if good else None


def within(wanted: frozenset[str], bound: frozenset[str]) -> bool:
    """Whether an access to ``wanted`` applications is no wider than one to ``bound``."""
    return EVERYTHING in bound or wanted <= bound


def narrowed(held: frozenset[str], bound: frozenset[str]) -> frozenset[str]:
    """What is left of an access when it may be no wider than ``bound``."""
    if EVERYTHING in bound:
        return held
    return bound if EVERYTHING in held else held & bound
