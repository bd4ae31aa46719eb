"""Under which restrictions do the installed units run where systemd does not make them, and what has to be left out?"""

import pwd
import subprocess
from pathlib import Path
from typing import Final

from scripts.unit_files import UNITS
from scripts.units_at_work import Around, as_user
from tests import sandbox

DATA: Final = Path("/var/lib/batch-gateway")
SETTINGS: Final = Path("/etc/batch-gateway/gateway.toml")

LEFT_OUT: Final[list[str]] = []
"""What was not tried, to be said at the end."""


def restricted(folder: Path) -> Around | None:
    """What makes the restrictions of each role's unit, where the kernel lets the gateway's user make namespaces."""
    user = pwd.getpwnam("batch-gateway")
    tried = ["bwrap", "--ro-bind", "/", "/", "--unshare-user", "--unshare-net", "true"]
    try:
        subprocess.run([*as_user(user.pw_name), *tried], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as fault:
        left_out(f"the restrictions of units but for user and privileges: bubblewrap does not work here ({fault})")
        return None
    places = sandbox.Places(SETTINGS.parent, DATA, DATA / "authorities", UNITS, user.pw_uid, user.pw_gid)
    filters = folder / "filters"
    filters.mkdir()

    def around(role: str) -> tuple[list[str], int]:
        words, descriptor = sandbox.around(places, role, filters, seen=[folder / "units"])
        # The parent would be a thread of ours, which ends long before.
        return [word for word in words if word != "--die-with-parent"], descriptor

    return around


def left_out(what: str) -> None:
    """Say that something is not tried, now and at the end."""
    LEFT_OUT.append(what)
    print(f"    LEFT OUT: {what}")
