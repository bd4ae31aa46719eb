"""Where a site wants it so, a name that the acknowledgement would refuse is refused at its upload, with its code."""

import asyncio
from datetime import date, timedelta
from typing import Any

import asyncssh

from tests.command_line import done
from tests.gateway_process import SENDER, USER, GatewayProcess, Site, today

LATER = (date.today() + timedelta(days=9)).strftime("%Y%m%d")  # noqa: DTZ011 - days apart from any zone's
FAULTS = {
    "report.xml": ("the prefix is none of FI, FS, GO, TD", 129),
    f"FI.DIMN.{SENDER}.2026112.00001.R.1.1": ("the date does not have 8 positions", 109),
    f"FI.DIMN.{SENDER}.20261341.00001.R.1.1": ("the date is not a day written YYYYMMDD", 110),
    f"FI.DIMN.{SENDER}.{LATER}.00001.R.1.1": ("the date is later than today", 111),
    f"FI.DIMN.{SENDER}.20200101.00001.R.1.1": ("the date is more than 366 days ago", 126),
    f"FI.DIMN.{SENDER}.{today()}.001.R.1.1": ("the sequence does not have 5 positions", 112),
    f"FI.DIMN.{SENDER}.{today()}.00001.X.1.1": ("the environment is none of R, T, S", 117),
    f"FI.DIMN.{SENDER}.{today()}.00001.T.1.1": ("a file of environment T belongs in INTEST", 119),
    f"FI.DIMN.{SENDER}.{today()}.00001.R.0.1": ("the number of parts is zero", 116),
    f"FS.DIMN.{SENDER}.{today()}.00001.R.2.3": ("the part number is not one digit", 124),
    f"GO.DIMN.{SENDER}.{today()}.00001.R.1.1": ("the name has 8 elements, not 7", 107),
    f"FI.DIMN.654321.{today()}.00001.R.1.1": ("the sender in the name is not the one who logged in", 108),
    f"FI.QQQQ.{SENDER}.{today()}.00001.R.1.1": ("this sender may not send files of this purpose", 154),
}


async def put(client: asyncssh.SFTPClient, name: str) -> str:
    """Upload one byte; answers the words of the refusal, if there is one."""
    try:
        async with client.open(f"IN/{name}", "wb") as file:
            await file.write(b"x")
    except asyncssh.SFTPError as refused:
        return refused.reason
    return ""


def test_a_bad_name_is_told_at_its_upload_where_a_site_wants_it(site: Site, gateway: GatewayProcess) -> None:
    """Each fault with its code, for a new name too; nothing is left of it.  By default it is taken, and answered."""
    keys = [str(site.work / "id_ed25519")]
    options: Any = {"username": USER, "client_keys": keys, "known_hosts": None, "config": None, "agent_path": None}
    good = f"FI.DIMN.{SENDER}.{today()}.00001.R.1.1"

    async def talk() -> None:
        async with (
            asyncssh.connect("127.0.0.1", site.port, **options) as connection,
            connection.start_sftp_client() as client,
        ):
            said = {name: await put(client, name) for name in FAULTS}
            for name, (words, code) in FAULTS.items():
                assert said[name].startswith(words), name
                assert said[name].endswith(f"({code}); give the file its right name, and send it again"), name
            assert {".", ".."} >= set(await client.listdir("IN"))
            assert "" == await put(client, f"{good}.part")
            for name, (words, _) in FAULTS.items():
                try:
                    await client.rename(f"IN/{good}.part", f"IN/{name}")
                except asyncssh.SFTPError as refused:
                    assert refused.reason.startswith(words)
                else:
                    raise AssertionError(name)
            await client.rename(f"IN/{good}.part", f"IN/{good}")
            site.configure("refuse_bad_names = true", "refuse_bad_names = false")
            await asyncio.to_thread(done, site, "reload")
            assert "" == await put(client, "report.xml")
            verdict = await asyncio.to_thread(gateway.judged)
            assert ["ACRF-129"] == verdict["codes"]

    site.configure("refuse_bad_names = false", "refuse_bad_names = true")
    done(site, "reload")
    asyncio.run(talk())
