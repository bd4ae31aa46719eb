"""A private PostgreSQL cluster for the tests: a free port of the loopback, its own folder and password.

The server is the Debian package's, started without its service; as root it runs as the package's user, for it refuses
to be root.  A machine without the package fails the tests that need it: a skipped promise would look kept.
"""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from spool.journal import open_journal
from tests.broker import free_ports

_TEMPLATE = "empty_journal"


class Cluster:
    """One server that a test can stop, kill and start again; every test has databases of its own."""

    def __init__(self, folder: Path, programs: Path) -> None:
        """Make the cluster; ``start`` starts it."""
        self.folder = folder
        self._programs = programs
        [self.port] = free_ports(1)
        self._password = secrets.token_hex(16)
        self._made = 0
        (folder / "password").write_text(self._password)
        folder.chmod(0o711)
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            for path in (folder, folder / "password"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        data = ["--pgdata", str(folder / "data"), "--username", "gateway", "--pwfile", str(folder / "password")]
        self._run("initdb", *data, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync")
        settings = (
            f"port = {self.port}",
            "listen_addresses = '127.0.0.1'",
            f"unix_socket_directories = '{folder}'",
            # The gateway asks for what it needs; a server that is set up carelessly must not take it away.
            "synchronous_commit = off",
            "max_connections = 200",
            # What a power cut takes is for the tests of power cuts; these are many, and quick.
            "fsync = off",
        )
        (folder / "data" / "postgresql.auto.conf").write_text("\n".join(settings) + "\n")

    def start(self) -> None:
        """Start the server, and return once it serves."""
        self._control("start", "--log", str(self.folder / "log"))

    def stop(self, mode: str = "fast") -> None:
        """Stop it; ``immediate`` as a power cut would."""
        self._control("stop", "--mode", mode)

    def url(self, database: str) -> str:
        """What a client connects to, with the right password."""
        return f"postgresql://gateway:{self._password}@127.0.0.1:{self.port}/{database}"

    def by_unix_socket(self, url: str) -> str:
        """What a client connects to instead that has no network."""
        parsed = sa.make_url(url).set(host=None, port=None, query={"host": str(self.folder), "port": str(self.port)})
        return parsed.render_as_string(hide_password=False)

    def empty_database(self) -> str:
        """The URL of a new database with nothing in it."""
        return self._new("template0")

    def journal(self) -> str:
        """The URL of a new database with an empty journal in it."""
        with self._administration() as connection:
            known = sa.text("SELECT 1 FROM pg_database WHERE datname = :name")
            if connection.execute(known, {"name": _TEMPLATE}).first() is None:
                connection.execute(sa.text(f"CREATE DATABASE {_TEMPLATE} TEMPLATE template0"))
                open_journal(self.url(_TEMPLATE), create=True).close()
        return self._new(_TEMPLATE)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is connected to it."""
        with self._administration() as connection:
            connection.execute(sa.text(f"DROP DATABASE {sa.make_url(url).database} WITH (FORCE)"))

    def _new(self, template: str) -> str:
        self._made += 1
        name = f"journal{self._made}"
        with self._administration() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        return self.url(name)

    @contextmanager
    def _administration(self) -> Iterator[sa.Connection]:
        engine = sa.create_engine(
            sa.make_url(self.url("postgres")).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            yield connection
        engine.dispose()

    def _control(self, *words: str) -> None:
        self._run("pg_ctl", "--pgdata", str(self.folder / "data"), "--wait", "--silent", *words)

    def _run(self, program: str, *words: str) -> None:
        command = [str(self._programs / program), *words]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def programs() -> Path:
    """The folder of the newest server that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not found:
        pytest.fail("this test needs the package postgresql: run scripts/prepare test")
    return found[-1].parent


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The session's server, running."""
    # Not pytest's folder: the server's user may not enter that of root.
    folder = Path(tempfile.mkdtemp(prefix="gateway-postgresql-"))
    server = Cluster(folder, programs())
    try:
        server.start()
        yield server
    finally:
        server.stop("immediate")
        shutil.rmtree(folder)
