"""A machine on which the installer finds systemd, for tests of what it does with units: files below one folder.

bubblewrap lays them over the real places.  ``systemctl`` is a script that keeps states of units in files and runs
nothing: a unit that is started is told which release is in use, and fails where the journal is of another one.  A
release is a folder as the installer leaves it, whose journal is a file with the name of the release that it fits.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_CHECKOUT: Final = Path(__file__).parents[1]
_SOCKETS: Final = {"sftp": "Requires=", "operations": ""}

_SYSTEMCTL: Final = r"""#!/bin/sh
# States of units, in files: active/UNIT has the release that it was started with.
cd /run/units
echo "$*" >>asked
now='' quiet='' words=''
for word in "$@"; do
    case "$word" in
        --now) now=yes ;;
        --quiet) quiet=yes ;;
        -*) ;;
        *) words="$words $word" ;;
    esac
done
set -f
set -- $words
set +f
act=$1
shift
roles='sftp judge deliver operations'
file() { case "$1" in *@*.service) echo "${1%@*}@.service" ;; *) echo "$1" ;; esac; }
known() { [ -e "/usr/local/lib/systemd/system/$(file "$1")" ]; }
members() { for role in $roles; do echo "batch-gateway@$role.service"; done; }
service() { echo "batch-gateway@$(echo "$1" | sed 's/batch-gateway-\(.*\)\.socket/\1/').service"; }
stop() {
    case "$1" in
        batch-gateway.target)
            rm -f active/batch-gateway@*.service active/batch-gateway-operations.socket ;;
        batch-gateway-sftp.socket) rm -f "active/$(service "$1")" ;;
    esac
    rm -f "active/$1"
}
start() {
    [ ! -e "active/$1" ] || return 0
    known "$1" && [ ! -e "masked/$1" ] || return 1
    case "$1" in
        *.target)
            for unit in $(members); do [ -e "masked/$unit" ] || start "$unit"; done
            [ ! -e enabled/batch-gateway-operations.socket ] || [ -e active/batch-gateway-operations.socket ] ||
                : >active/batch-gateway-operations.socket ;;
        *.socket) [ ! -e "active/$(service "$1")" ] || return 1 ;;
        *)
            [ ! -e /opt/batch-gateway/current/faulty ] || return 1
            cmp -s /var/lib/batch-gateway/journal.sqlite3 /opt/batch-gateway/current/fits || return 1 ;;
    esac
    readlink /opt/batch-gateway/current >"active/$1"
}
status=0
case "$act" in
    daemon-reload) ;;
    list-units) for unit in active/*.service active/*.target; do
        [ ! -e "$unit" ] || echo "${unit#active/} loaded active running"
    done ;;
    is-active) [ -e "active/$1" ] || exit 3 ;;
    is-enabled)
        status=1
        for unit in "$@"; do
            if [ -e "masked/$unit" ]; then said=masked
            elif [ -e "enabled/$unit" ]; then said=enabled status=0
            else said=disabled
            fi
            [ -n "$quiet" ] || echo "$said"
        done ;;
    enable) known "$1" && [ ! -e "masked/$1" ] && : >"enabled/$1" && { [ -z "$now" ] || start "$1"; } || exit 1 ;;
    disable) rm -f "enabled/$1"; [ -z "$now" ] || stop "$1" ;;
    start) for unit in "$@"; do start "$unit" || status=1; done ;;
    stop) for unit in "$@"; do stop "$unit"; done ;;
    restart)
        for unit in "$@"; do stop "$unit"; done
        for unit in "$@"; do start "$unit" || status=1; done ;;
    *) exit 64 ;;
esac
exit $status
"""

_GATEWAY: Final = r"""#!/bin/sh
[ "$(cat /var/lib/batch-gateway/journal.sqlite3)" = "$(cat "${0%/bin/gateway}/fits")" ] && exit
echo "gateway: journal.path: /var/lib/batch-gateway/journal.sqlite3 is of another version; here are words" >&2
exit 2
"""

# What the installer has it do: the address of a role, or an act on the journal with the place of its copy.
_PYTHON: Final = r"""#!/bin/sh
cat >/dev/null
journal=/var/lib/batch-gateway/journal.sqlite3
case "$4" in
    sftp) echo 127.0.0.1:9022 ;;
    operations) echo 127.0.0.1:8024 ;;
    migrate)
        mkdir -p "${5%/*}"
        cp "$journal" "$5"
        cp "${0%/bin/python}/fits" "$journal" ;;
    put-back) cp "$5" "$journal" ;;
esac
"""

# Counts what the installer itself is about to do with programs that change something, and ends it before one of them.
_COUNTED: Final = r"""
line_end='
'
trap '
case "$BASH_COMMAND" in
    systemctl*|mv\ *|ln\ *|rm\ *|install\ *|sync\ *|as_service*|printf*\>*)
        if [ "$BASHPID" = $$ ]; then
            counted=$((${counted:-0} + 1))
            echo "${BASH_COMMAND%%"$line_end"*}" >>/run/units/steps
            if [ $counted = "${KILLED_BEFORE:-0}" ]; then kill -KILL $$; fi
        fi ;;
esac' DEBUG
set -o functrace
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine below ``folder``."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Self:
        """One with no unit, no release, and a site whose journal fits the release ``older``."""
        machine = cls(folder)
        for name in ("opt/batch-gateway/releases", "etc/batch-gateway", "etc/systemd/system", "var", "local", "bin"):
            (folder / name).mkdir(parents=True)
        for state in ("active", "enabled", "masked"):
            (folder / "run/units" / state).mkdir(parents=True)
        (folder / "run/systemd/system").mkdir(parents=True)
        (folder / "run/counted").write_text(_COUNTED)
        (folder / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nbatch-gateway:x:0:0::/:/bin/sh\n")
        (folder / "etc/group").write_text("root:x:0:\n")
        (folder / "etc/batch-gateway/gateway.toml").touch()
        machine.journal.parent.mkdir()
        machine.journal.write_text("older\n")
        _program(folder / "bin/systemctl", _SYSTEMCTL)
        _program(folder / "bin/runuser", '#!/bin/sh\nshift 3\nexec "$@"\n')
        for name in ("systemd-sysusers", "systemd-tmpfiles"):
            _program(folder / "bin" / name, "#!/bin/sh\ncat >/dev/null\n")
        return machine

    @property
    def journal(self) -> Path:
        """The journal: a file with the name of the release that it fits."""
        return self.folder / "var/batch-gateway/journal.sqlite3"

    @property
    def opt(self) -> Path:
        """The folder of releases."""
        return self.folder / "opt/batch-gateway"

    @property
    def units(self) -> Path:
        """Where the installer puts units."""
        return self.folder / "local/lib/systemd/system"

    def release(self, name: str, fits: str | None = None) -> Path:
        """A release as the installer leaves it, and a bundle from which it is installed; answers that."""
        release, bundle = self.opt / "releases" / name, self.opt / f"bundle-{name}"
        for folder in (release, bundle):
            (folder / "bin").mkdir(parents=True)
            (folder / "RELEASE").write_text(f"{name}\n")
            (folder / "SHA256SUMS").touch()
            for script in ("install", "uninstall"):
                shutil.copy2(_CHECKOUT / "scripts" / script, folder / script)
        (release / "SHA256SUMS").unlink()
        shutil.copytree(_CHECKOUT / "systemd", release / "systemd")
        (release / "fits").write_text(f"{fits or name}\n")
        _program(release / "bin/gateway", _GATEWAY)
        _program(release / "bin/python", _PYTHON)
        return bundle

    def run(self, script: Path, *words: str, killed_before: int = 0) -> "subprocess.CompletedProcess[str]":
        """Run a script that lies in this machine's ``/opt``; where told so, end it before its so-manieth step."""
        laid = {"opt": "/opt", "etc": "/etc", "run": "/run", "var": "/var/lib", "local": "/usr/local", "bin": "/srv"}
        binds = [word for name, place in laid.items() for word in ("--bind", str(self.folder / name), place)]
        environment = {"PATH": f"/srv:{os.environ['PATH']}", "BASH_ENV": "/run/counted"}
        return subprocess.run(
            ["bwrap", "--die-with-parent", "--unshare-user", "--uid", "0", "--gid", "0", "--dev-bind", "/", "/", *binds,
             "--ro-bind", "/etc/alternatives", "/etc/alternatives",
             str(Path("/opt") / script.relative_to(self.folder / "opt")), *words],
            env=environment | {"KILLED_BEFORE": str(killed_before)}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def state(self, state: str) -> dict[str, str]:
        """Units that are ``active`` (with the release that they were started with), ``enabled`` or ``masked``."""
        return {path.name: path.read_text().strip() for path in (self.folder / "run/units" / state).iterdir()}

    def set(self, state: str, *units: str) -> None:
        """Have units be in a state."""
        for unit in units:
            (self.folder / "run/units" / state / unit).touch()

    def steps(self) -> list[str]:
        """What the installer has been about to do since this was asked last."""
        path = self.folder / "run/units/steps"
        found = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return found


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
