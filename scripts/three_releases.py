"""Which releases does ``scripts/test-install`` go to and fro between?

The commit before, with its own units; the same, with a role that opens its port itself, so that there always is one;
and what is in the checkout with one migration more, likewise.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

_CHECKOUT: Final = Path(__file__).parents[1]
_MIGRATION: Final = '''"""A migration that nobody needs, so that there is one."""

import sqlalchemy as sa
from alembic import op

revision = "made_up"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make a table."""
    op.create_table("made_up", sa.Column("number", sa.Integer, primary_key=True))


def downgrade() -> None:
    """Take it away."""
    op.drop_table("made_up")
'''


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=_CHECKOUT, capture_output=True, check=True).stdout


def commit_before(folder: Path) -> None:
    """Write the commit before what is in the checkout into ``folder``, to be installed by this checkout's scripts."""
    commit = "HEAD" if _git("status", "--porcelain").strip() else "HEAD~1"
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "--extract", "--directory", str(folder)], input=_git("archive", commit), check=True)
    for name in ("scripts/install", "scripts/uninstall"):
        shutil.copy2(_CHECKOUT / name, folder / name)
    (folder / "COMMIT").write_text("before\n")


def opening_its_port(before: Path, folder: Path) -> None:
    """Write the commit before into ``folder``, with units of operations as they were when it opened its port itself."""
    shutil.copytree(before, folder)
    units = folder / "systemd"
    (units / "batch-gateway-operations.socket").unlink(missing_ok=True)
    rights = units / "batch-gateway@operations.service.d" / "rights.conf"
    taken = ("PrivateNetwork=", "RestrictAddressFamilies=")
    rights.write_text("".join(line for line in rights.read_text().splitlines(True) if not line.startswith(taken)))
    (folder / "COMMIT").write_text("twin\n")


def checked_out(folder: Path) -> None:
    """Write what is in the checkout into ``folder``."""
    for name in filter(None, _git("ls-files", "--cached", "--others", "--exclude-standard", "-z").decode().split("\0")):
        if (_CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(_CHECKOUT / name, folder / name)


def newest(folder: Path) -> None:
    """Write what is in the checkout into ``folder``, with a migration more."""
    checked_out(folder)
    versions = folder / "spool" / "migrations" / "versions"
    texts = [path.read_text() for path in versions.glob("*_*.py")]
    found = {name: {match[1] for text in texts for match in re.finditer(rf'^{name}\b.*"(.+)"', text, re.MULTILINE)}
             for name in ("revision", "down_revision")}  # fmt: skip
    (head,) = found["revision"] - found["down_revision"]
    (versions / "made_up.py").write_text(_MIGRATION.format(head=head))
    (folder / "COMMIT").write_text("newest\n")
