"""How is a client told that something did not work, without being told what is inside?

A refusal has words meant for the sender.  Our own trouble is "try again later" for the client and an event for the
operator; the text of an exception goes to neither, since a path or a name could be in it.
"""

import traceback
from typing import Final, assert_never

import asyncssh
import structlog

from config.errors import TemporaryError
from spool.mailbox import MailboxRefusal, Trouble

_log = structlog.get_logger()

TRY_AGAIN: Final = "the gateway cannot do this now; try again later"


def told(error: Exception) -> asyncssh.SFTPError:
    """What the client gets for ``error``; whatever is not a refusal is logged."""
    if isinstance(error, asyncssh.SFTPError):
        return error
    if isinstance(error, MailboxRefusal):
        return asyncssh.SFTPError(_code(error.trouble), error.words)
    log_trouble("sftp.request.failed", error)
    return asyncssh.SFTPError(asyncssh.FX_FAILURE, TRY_AGAIN)


def log_trouble(event: str, error: BaseException, **facts: str) -> None:
    """Log our own trouble: its type and where it arose, not its text."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    log = _log.warning if isinstance(error, TemporaryError | OSError) else _log.error
    log(event, error=type(error).__name__, number=getattr(error, "errno", None), where=where, **facts)


def _code(trouble: Trouble) -> int:
    match trouble:
        case Trouble.MISSING:
            return asyncssh.FX_NO_SUCH_FILE
        case Trouble.DENIED:
            return asyncssh.FX_PERMISSION_DENIED
        case Trouble.EXISTS | Trouble.BUSY | Trouble.FULL:
            return asyncssh.FX_FAILURE
        case _:
            assert_never(trouble)
