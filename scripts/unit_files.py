"""What do the installed files of a unit say?  Its own, what the installation adds, and an administrator's."""

from pathlib import Path
from typing import Final

UNITS: Final = Path("/usr/local/lib/systemd/system")
"""Where the installer puts units."""
_OWN: Final = Path("/etc/systemd/system")


def directives(unit: str) -> dict[str, list[str]]:
    """What the file of a unit says, and what is added to it; ``%i`` is replaced, nothing forgets what was said."""
    stem, at, role = unit.partition("@")
    role, _, suffix = role.partition(".")
    paths = [UNITS / (f"{stem}@.{suffix}" if at else unit), *sorted(UNITS.glob(f"{unit}.d/*.conf"))]
    paths += sorted(_OWN.glob(f"{unit}.d/*.conf"))
    said: dict[str, list[str]] = {}
    for line in (line for path in paths for line in path.read_text().splitlines()):
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", "[")):
            said[name] = [*said.get(name, []), value.replace("%i", role)] if value else []
    return said
