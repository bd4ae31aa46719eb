"""Another process of a gateway, as far as a neighbour sees one: alive, and asked over its socket.

``python -m tests.neighbour SPOOL ROLE`` says a line when it can be asked, and ends when its input does.
"""

import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Final

from config.roles import Role
from spool.processes import joined

_PARTS: Final = b'[{"name": "journal", "ready": true, "words": ""}]'


class _Ready(BaseHTTPRequestHandler):
    """Answers that its journal is ready."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(_PARTS)))
        self.end_headers()
        self.wfile.write(_PARTS)

    def address_string(self) -> str:
        return "a neighbour"

    def log_message(self, *_: object) -> None:
        """Nothing is written of a request."""


def main() -> None:
    """Be there until the input ends."""
    with (
        joined(Path(sys.argv[1]), [Role(sys.argv[2])]) as me,
        socketserver.ThreadingUnixStreamServer(str(me.address), _Ready) as server,
    ):
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
