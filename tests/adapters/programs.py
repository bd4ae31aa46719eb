"""The programs senders use, each called as its users call it; ``docs/clients.md`` has the same command lines."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import asyncssh
import paramiko

from channels.ports import Account, Authentication
from tests.adapters.sftp_door import SENDER, USER, House, Program

_BY_PASSWORD, _BY_BOTH, _PASSWORD = "bravo", "charlie", "a-long-horse-1-staple"


class Client(Protocol):
    """A program that moves files; what it answers is how it ended."""

    async def put(self, local: Path, remote: str) -> Program:
        """Upload."""

    async def get(self, remote: str, local: Path) -> Program:
        """Download."""

    async def names(self, directory: str) -> Program:
        """List; the names are in what it says."""

    async def delete(self, remote: str) -> Program:
        """Delete."""


class Sftp:
    """OpenSSH's sftp."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def put(self, local: Path, remote: str) -> Program:
        """``put``."""
        return await self._house.sftp(f'put "{local}" "{remote}"')

    async def resume(self, local: Path, remote: str) -> Program:
        """``reput``."""
        return await self._house.sftp(f'reput "{local}" "{remote}"')

    async def get(self, remote: str, local: Path) -> Program:
        """``get``."""
        return await self._house.sftp(f"get {remote} {local}")

    async def names(self, directory: str) -> Program:
        """``ls``."""
        return await self._house.sftp(f"ls -1 {directory}")

    async def delete(self, remote: str) -> Program:
        """``rm``."""
        return await self._house.sftp(f"rm {remote}")


class Scp(Sftp):
    """OpenSSH's scp, which moves files and does nothing else; for the rest its users have sftp."""

    async def put(self, local: Path, remote: str) -> Program:
        """Up."""
        return await self._copy(str(local), f"{USER}@127.0.0.1:{remote}")

    async def get(self, remote: str, local: Path) -> Program:
        """Down."""
        return await self._copy(f"{USER}@127.0.0.1:{remote}", str(local))

    async def _copy(self, *words: str) -> Program:
        return await self._house.run("scp", *self._house.options(), "-P", str(self._house.door.port), *words)


class Lftp:
    """lftp, which runs OpenSSH's ssh."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def run(self, *commands: str) -> Program:
        """Run commands in one session."""
        connect = "ssh -a -x " + " ".join(self._house.options())
        settings = [f"set sftp:connect-program '{connect}'", "set net:max-retries 2", "set cmd:fail-exit true"]
        opening = f"open -u {USER}, sftp://127.0.0.1:{self._house.door.port}"
        return await self._house.run("lftp", "-c", "; ".join([*settings, opening, *commands]))

    async def put(self, local: Path, remote: str) -> Program:
        """``put``."""
        return await self.run(f"put '{local}' -o '{remote}'")

    async def resume(self, local: Path, remote: str) -> Program:
        """``put -c``."""
        return await self.run(f"put -c '{local}' -o '{remote}'")

    async def get(self, remote: str, local: Path) -> Program:
        """``get``."""
        return await self.run(f"get {remote} -o {local}")

    async def names(self, directory: str) -> Program:
        """``cls``."""
        return await self.run(f"cls -1 {directory}/")

    async def delete(self, remote: str) -> Program:
        """``rm``."""
        return await self.run(f"rm {remote}")


class Psftp:
    """PuTTY's psftp."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._key = house.folder / "user_key.ppk"

    async def told(self) -> list[str]:
        """What PuTTY's programs must be told; the key is turned into a form they read."""
        if not self._key.exists():
            words = [str(self._house.keyfile), "-O", "private", "-o", str(self._key)]
            assert (await self._house.run("puttygen", *words)).status == 0
        port, key = str(self._house.door.port), str(self._key)
        return ["-batch", "-noagent", "-P", port, "-i", key, "-hostkey", fingerprint(self._house)]

    async def _run(self, command: str) -> Program:
        script = self._house.folder / "psftp.txt"
        script.write_text(f"{command}\nquit\n")
        return await self._house.run("psftp", *await self.told(), "-b", str(script), f"{USER}@127.0.0.1")

    async def put(self, local: Path, remote: str) -> Program:
        """``put``."""
        return await self._run(f'put "{local}" "{remote}"')

    async def resume(self, local: Path, remote: str) -> Program:
        """``reput``."""
        return await self._run(f'reput "{local}" "{remote}"')

    async def get(self, remote: str, local: Path) -> Program:
        """``get``."""
        return await self._run(f"get {remote} {local}")

    async def names(self, directory: str) -> Program:
        """``dir``."""
        return await self._run(f"dir {directory}")

    async def delete(self, remote: str) -> Program:
        """``del``."""
        return await self._run(f"del {remote}")


class Pscp(Psftp):
    """PuTTY's pscp over SFTP; it lists too, and deletes nothing."""

    async def put(self, local: Path, remote: str) -> Program:
        """Up."""
        return await self._pscp(str(local), f"{USER}@127.0.0.1:{remote}")

    async def get(self, remote: str, local: Path) -> Program:
        """Down."""
        return await self._pscp(f"{USER}@127.0.0.1:{remote}", str(local))

    async def names(self, directory: str) -> Program:
        """``-ls``."""
        return await self._pscp("-ls", f"{USER}@127.0.0.1:{directory}")

    async def _pscp(self, *words: str) -> Program:
        return await self._house.run("pscp", "-sftp", *await self.told(), *words)


class Curl:
    """curl with libssh2."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._public = house.folder / "user_key.pub"

    async def _run(self, *words: str) -> Program:
        self._public.write_bytes(self._house.key.export_public_key())
        login = ["-u", f"{USER}:", "--key", str(self._house.keyfile), "--pubkey", str(self._public)]
        sha256 = fingerprint(self._house).removeprefix("SHA256:")
        return await self._house.run("curl", "-sS", *login, "--hostpubsha256", sha256, *words)

    def _url(self, remote: str) -> str:
        return f"sftp://127.0.0.1:{self._house.door.port}/{remote.replace(' ', '%20')}"

    async def put(self, local: Path, remote: str) -> Program:
        """``-T``."""
        return await self._run("-T", str(local), self._url(remote))

    async def resume(self, local: Path, remote: str) -> Program:
        """``-C -``: go on where the server's file ends."""
        return await self._run("-C", "-", "-T", str(local), self._url(remote))

    async def get(self, remote: str, local: Path) -> Program:
        """``-o``."""
        return await self._run("-o", str(local), self._url(remote))

    async def names(self, directory: str) -> Program:
        """The address of a directory, with a slash at its end."""
        return await self._run("-l", self._url(f"{directory}/"))

    async def delete(self, remote: str) -> Program:
        """``-Q rm``, before it lists the directory and throws that away."""
        return await self._run("-Q", f"rm /{remote}", "-o", "/dev/null", self._url(remote.partition("/")[0] + "/"))


class Sshfs:
    """sshfs: the directories as a file system, for programs that know of no SFTP."""

    def __init__(self, house: House) -> None:
        self._house = house

    @asynccontextmanager
    async def mounted(self) -> AsyncIterator[Path]:
        """Mount for the time of the block.  Everything that looks there must do so from a thread or a program."""
        point = self._house.folder / "mount"
        point.mkdir(exist_ok=True)
        known = self._house.folder / "known_hosts"
        options = [f"IdentityFile={self._house.keyfile}", "BatchMode=yes", "IdentitiesOnly=yes", "LogLevel=ERROR"]
        options += ["StrictHostKeyChecking=no", f"UserKnownHostsFile={known}"]
        told = [word for option in options for word in ("-o", option)]
        words = ["-f", "-F", "/dev/null", *told, "-p", str(self._house.door.port), f"{USER}@127.0.0.1:/", str(point)]
        process = await self._house.start("sshfs", *words)
        try:
            while not await asyncio.to_thread(point.is_mount):
                assert process.returncode is None, await process.communicate()
                await asyncio.sleep(0.02)
            yield point
        finally:
            await self._house.run("fusermount3", "-u", str(point))
            await process.communicate()

    async def _run(self, program: str, *words: str) -> Program:
        async with self.mounted() as point:
            return await self._house.run(program, *(word.replace("@", f"{point}/") for word in words))

    async def put(self, local: Path, remote: str) -> Program:
        """``cp``."""
        return await self._run("cp", str(local), f"@{remote}")

    async def get(self, remote: str, local: Path) -> Program:
        """``cp``."""
        return await self._run("cp", f"@{remote}", str(local))

    async def names(self, directory: str) -> Program:
        """``ls``."""
        return await self._run("ls", f"@{directory}")

    async def delete(self, remote: str) -> Program:
        """``rm``."""
        return await self._run("rm", f"@{remote}")


class Paramiko:
    """A Python program with paramiko."""

    def __init__(self, house: House) -> None:
        self._house = house

    def _log_in(self, transport: paramiko.Transport) -> None:
        transport.auth_publickey(USER, self._house.paramiko_key())

    def _client(self) -> tuple[paramiko.Transport, paramiko.SFTPClient]:
        transport = self._house.paramiko_transport()
        self._log_in(transport)
        client = paramiko.SFTPClient.from_transport(transport)
        assert client is not None
        return transport, client

    async def _run(self, act: str, *words: str) -> Program:
        def talk() -> Program:
            transport, client = self._client()
            try:
                said = getattr(client, act)(*words)
                return Program(0, "\n".join(said) if isinstance(said, list) else "", "")
            except OSError as error:
                return Program(1, "", str(error))
            finally:
                transport.close()

        return await asyncio.to_thread(talk)

    async def put(self, local: Path, remote: str) -> Program:
        """``put``."""
        return await self._run("put", str(local), remote)

    async def get(self, remote: str, local: Path) -> Program:
        """``get``."""
        return await self._run("get", remote, str(local))

    async def names(self, directory: str) -> Program:
        """``listdir``."""
        return await self._run("listdir", directory)

    async def delete(self, remote: str) -> Program:
        """``remove``."""
        return await self._run("remove", remote)


class ParamikoByPassword(Paramiko):
    """The same, of a user who logs in by a password."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        house.accounts.accounts[_BY_PASSWORD] = Account(_BY_PASSWORD, SENDER, (), Authentication.PASSWORD)
        house.accounts.passwords[_BY_PASSWORD] = _PASSWORD

    def _log_in(self, transport: paramiko.Transport) -> None:
        transport.auth_password(_BY_PASSWORD, _PASSWORD, fallback=False)


class ParamikoByBoth(Paramiko):
    """The same, of a user who logs in by a key and then a password."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        keys = house.accounts.accounts[USER].keys
        house.accounts.accounts[_BY_BOTH] = Account(_BY_BOTH, SENDER, keys, Authentication.BOTH)
        house.accounts.passwords[_BY_BOTH] = _PASSWORD

    def _log_in(self, transport: paramiko.Transport) -> None:
        assert transport.auth_publickey(_BY_BOTH, self._house.paramiko_key()) == ["password"]
        transport.auth_password(_BY_BOTH, _PASSWORD, fallback=False)


class Asyncssh:
    """A Python program with asyncssh."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def _run(self, act: str, *words: object) -> Program:
        async with self._house.client() as client:
            try:
                said = await getattr(client, act)(*words)
            except asyncssh.SFTPError as error:
                return Program(1, "", error.reason)
            return Program(0, "\n".join(map(str, said)) if isinstance(said, list) else "", "")

    async def put(self, local: Path, remote: str) -> Program:
        """``put``."""
        return await self._run("put", local, remote)

    async def get(self, remote: str, local: Path) -> Program:
        """``get``."""
        return await self._run("get", remote, local)

    async def names(self, directory: str) -> Program:
        """``listdir``."""
        return await self._run("listdir", directory)

    async def delete(self, remote: str) -> Program:
        """``remove``."""
        return await self._run("remove", remote)


def fingerprint(house: House) -> str:
    """What the sender was told about the host key."""
    return asyncssh.read_private_key(house.folder / "host_key").get_fingerprint()


def fuse_works() -> bool:
    """Whether this machine lets a file system of a program be mounted."""
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError:
        return False
    return shutil.which("fusermount3") is not None
