"""An authority's web server on loopback: revocation lists, OCSP answers, and every way to be of no use."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from tests.authority import Pki, now

Page = bytes | Path | Callable[[bytes], bytes]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that break off are what is tested."""


class RevocationServer:
    """A server whose port stays the same while it is away; ``pages`` are what it has, ``asked`` what it was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.redirects: dict[str, str] = {}
        self.asked: list[str] = []
        self._server = self._bind(0)
        self.port: int = self._server.server_address[1]
        self._thread: threading.Thread | None = None

    def url(self, path: str) -> str:
        """The address of a page."""
        return f"http://127.0.0.1:{self.port}{path}"

    def start(self) -> None:
        """Answer from now on."""
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Be away: connections are refused."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()

    def start_again(self) -> None:
        """Be back after ``stop``, on the same port."""
        self._server = self._bind(self.port)
        self.start()

    def _bind(self, port: int) -> ThreadingHTTPServer:
        pages, redirects, asked = self.pages, self.redirects, self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(b"")

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"])))

            def _answer(self, question: bytes) -> None:
                asked.append(self.path)
                if (target := redirects.get(self.path)) is not None:
                    self.send_response(302)
                    self.send_header("Location", target)
                    self.end_headers()
                    return
                page = pages.get(self.path)
                if page is None:
                    self.send_error(404)
                    return
                body = (
                    page if isinstance(page, bytes) else page.read_bytes() if isinstance(page, Path) else page(question)
                )
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
                """Say nothing."""

        return _Server(("127.0.0.1", port), Handler)


@contextmanager
def serving(server: RevocationServer) -> Iterator[RevocationServer]:
    """The server, answering for the time of the block."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


def responder(pki: Pki, *, revoked: frozenset[int] = frozenset()) -> Callable[[bytes], bytes]:
    """OCSP answers signed by the issuing authority itself, good for an hour, about whatever it issued."""
    issuer = pki.issuing_credential

    def answer(question: bytes) -> bytes:
        asked = ocsp.load_der_ocsp_request(question)
        is_revoked = asked.serial_number in revoked
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=asked.issuer_name_hash,
            issuer_key_hash=asked.issuer_key_hash,
            serial_number=asked.serial_number,
            algorithm=asked.hash_algorithm,
            cert_status=ocsp.OCSPCertStatus.REVOKED if is_revoked else ocsp.OCSPCertStatus.GOOD,
            this_update=now() - timedelta(minutes=5),
            next_update=now() + timedelta(hours=1),
            revocation_time=now() - timedelta(hours=2) if is_revoked else None,
            revocation_reason=x509.ReasonFlags.key_compromise if is_revoked else None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, issuer.read())
        private = issuer.private()
        assert not isinstance(private, ed25519.Ed25519PrivateKey)
        return builder.sign(private, hashes.SHA256()).public_bytes(Encoding.DER)

    return answer
