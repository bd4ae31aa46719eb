"""What of a connection is logged by asyncssh?

Nothing: the door has lines of its own, and asyncssh would put the words together whether they are written or not.
"""

from typing import Any

from asyncssh.logging import SSHLogger


class Silence(SSHLogger):
    """Says nothing, and does nothing for it."""

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        """Say nothing."""

    def debug1(self, msg: str, *args: object, **kwargs: object) -> None:
        """Say nothing."""

    debug2 = debug1

    def get_child(self, child: str = "", context: str = "") -> "Silence":
        """Itself: there is nothing to tell apart."""
        return self
