"""The register as simply as it can be told: who holds what, kept in sets; what the real one does is compared with it.

An act answers whether it is done.  Nothing here is taken from the code but names.
"""

from dataclasses import dataclass, field

from tests.rights_table import TABLE

Place = str | int
"""The number of an enterprise, or of a quality."""

RANKS = ("user", "co-gl", "gl", "co-rae", "rae")
MANAGED = {"co-rae": "manage-co-raes", "gl": "name-gl", "co-gl": "manage-co-gls", "user": "manage-users"}


@dataclass
class Model:
    """What is so; ``operator`` stands for any operator where an actor is named."""

    enterprises: set[str] = field(default_factory=set)
    qualities: dict[int, tuple[str, str]] = field(default_factory=dict)
    people: dict[str, tuple[str, str]] = field(default_factory=dict)
    held: set[tuple[str, str, Place]] = field(default_factory=set)
    access: dict[tuple[str, int], frozenset[str]] = field(default_factory=dict)
    technical: dict[str, tuple[int, str]] = field(default_factory=dict)

    # --- who may

    def may(self, actor: str, row: str, place: Place) -> bool:
        """Whether the table has a yes for a role that the actor holds there, being active."""
        if actor == "operator":
            return True
        enterprise = self.enterprise_of(place)
        if enterprise is None or self.people.get(actor) != (enterprise, "active"):
            return False
        return any(
            TABLE[row][role] for name, role, where in self.held if name == actor and where in {place, enterprise}
        )

    def may_over(self, actor: str, name: str) -> bool:
        """Whether the actor manages everything that somebody is."""
        if actor == "operator":
            return True
        return all(role != "rae" and self.may(actor, MANAGED[role], where) for role, where in self.roles_of(name))

    def may_own(self, actor: str, name: str) -> bool:
        """Whether somebody does something to himself, and may."""
        return actor == "operator" or (actor == name and self.people[name][1] == "active")

    def enterprise_of(self, place: Place) -> str | None:
        """Whose place it is, if anybody acts in it."""
        if isinstance(place, str):
            return place if place in self.enterprises else None
        enterprise, state = self.qualities.get(place, ("", ""))
        return enterprise if state == "active" else None

    def roles_of(self, name: str) -> list[tuple[str, Place]]:
        """What somebody is, and where."""
        return [(role, where) for holder, role, where in self.held if holder == name]

    def holder(self, role: str, place: Place) -> str | None:
        """Who is RAE or GL there."""
        [*found] = (name for name, kind, where in self.held if (kind, where) == (role, place))
        assert len(found) <= 1
        return found[0] if found else None

    # --- acts

    def name(self, actor: str, role: str, place: Place, who: tuple[str, bool], access: frozenset[str]) -> bool:
        """Name an RAE or a GL; ``who`` is a name, and whether he is to be entered."""
        allowed = actor == "operator" if role == "rae" else self.may(actor, "name-gl", place)
        if not allowed or self.enterprise_of(place) is None:
            return False
        name, is_new = who
        before = self.holder(role, place)
        if before == name and not is_new:
            self._bound(place, access)
            return True
        if not self._can_enter(place, who):
            return False
        if before is not None:
            self._end(before, place)
        self._give(name, role, place)
        self._bound(place, access)
        if before is not None:
            self._close(before)
        return True

    def add(self, actor: str, role: str, place: Place, who: tuple[str, bool], access: frozenset[str]) -> bool:
        """Make somebody Co-RAE, Co-GL or user."""
        head = self.holder("rae" if role == "co-rae" else "gl", place)
        if not self.may(actor, MANAGED[role], place) or head is None or not self._can_enter(place, who):
            return False
        if role == "user" and not self._is_within(access, place):
            return False
        if any(RANKS.index(kind) >= RANKS.index(role) for kind, where in self.roles_of(who[0]) if where == place):
            return False
        self._give(who[0], role, place)
        if isinstance(place, int):
            self.access[who[0], place] = access if role == "user" else self.access[head, place]
        return True

    def set_access(self, actor: str, place: int, name: str, access: frozenset[str]) -> bool:
        """Give a user other applications."""
        good = self.may(actor, "manage-users", place) and (name, "user", place) in self.held
        if not good or not self._is_within(access, place):
            return False
        self.access[name, place] = access
        return True

    def end(self, actor: str, role: str, place: Place, name: str) -> bool:
        """Let somebody be Co-RAE, Co-GL or user no longer."""
        if not self.may(actor, MANAGED[role], place) or (name, role, place) not in self.held:
            return False
        self._end(name, place)
        self._close(name)
        return True

    def decide(self, actor: str, verb: str, name: str) -> bool:
        """Block, unblock, delete, or report lost."""
        enterprise, state = self.people.get(name, ("", "deleted"))
        own = verb == "lost" and self.may_own(actor, name) if name in self.people else False
        if state == "deleted" or not (own or self.may_over(actor, name)):
            return False
        roles = self.roles_of(name)
        if verb == "delete":
            if any(role in {"rae", "gl"} for role, _ in roles):
                return False
            for _, where in roles:
                self._end(name, where)
            self._close(name)
            return True
        after = {"block": state if state == "lost" else "blocked", "unblock": "active", "lost": "lost"}[verb]
        self.people[name] = (enterprise, after)
        return True

    def edit(self, actor: str, name: str) -> bool:
        """Change language or e-mail."""
        if self.people.get(name, ("", "deleted"))[1] == "deleted":
            return False
        is_user = all(role == "user" for role, _ in self.roles_of(name))
        return self.may_own(actor, name) or (is_user and self.may_over(actor, name))

    def activate(self, actor: str, number: int) -> bool:
        """Activate a quality that was announced, or again one that was closed."""
        enterprise, state = self.qualities[number]
        if not self.may(actor, "activate-quality", enterprise) or (state == "closed" and actor != "operator"):
            return False
        self.qualities[number] = (enterprise, "active")
        return True

    def close(self, actor: str, number: int) -> bool:
        """Close a quality."""
        if actor != "operator" or number not in self.qualities:
            return False
        enterprise, _ = self.qualities[number]
        names = [name for name, _, where in self.held if where == number]
        for name in names:
            self._end(name, number)
        for name in names:
            self._close(name)
        self.qualities[number] = (enterprise, "closed")
        for name, (where, _) in self.technical.items():
            if where == number:
                self.technical[name] = (number, "deleted")
        return True

    def name_technical(self, actor: str, number: int, name: str) -> bool:
        """Name the technical user."""
        present = [known for known, (where, state) in self.technical.items() if where == number and state != "deleted"]
        if not self.may(actor, "name-technical-user", number) or self.enterprise_of(number) is None:
            return False
        if present != [name] and (present or name in self.technical or name in self.people):
            return False
        self.technical.setdefault(name, (number, "active"))
        return True

    def delete_technical(self, actor: str, name: str) -> bool:
        """Delete the technical user."""
        number, state = self.technical.get(name, (0, "deleted"))
        if state == "deleted" or not self.may(actor, "name-technical-user", number):
            return False
        self.technical[name] = (number, "deleted")
        return True

    # --- what follows from them

    def _can_enter(self, place: Place, who: tuple[str, bool]) -> bool:
        name, is_new = who
        enterprise, state = self.people.get(name, ("", ""))
        if is_new:
            return name not in self.people and name not in self.technical
        return enterprise == self.enterprise_of(place) and state in {"active", "deleted"}

    def _is_within(self, access: frozenset[str], place: Place) -> bool:
        head = self.holder("gl", place)
        bound = self.access[head, place] if head and isinstance(place, int) else frozenset()
        return "*" in bound or access <= bound

    def _give(self, name: str, role: str, place: Place) -> None:
        self._end(name, place)
        enterprise = self.enterprise_of(place)
        assert enterprise is not None
        self.people[name] = (enterprise, "active")
        self.held.add((name, role, place))

    def _end(self, name: str, place: Place) -> None:
        self.held = {item for item in self.held if (item[0], item[2]) != (name, place)}
        if isinstance(place, int):
            self.access.pop((name, place), None)

    def _close(self, name: str) -> None:
        if not self.roles_of(name):
            self.people[name] = (self.people[name][0], "deleted")

    def _bound(self, place: Place, access: frozenset[str]) -> None:
        """Let the GL have this access, the Co-GLs the same, and users no more."""
        if not isinstance(place, int):
            return
        for name, role, where in self.held:
            if where == place:
                has = self.access.get((name, place), frozenset())
                left = access if "*" in has else has if "*" in access else has & access
                self.access[name, place] = left if role == "user" else access
