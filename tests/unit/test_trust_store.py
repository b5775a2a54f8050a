"""AWS's trust store is fetched over verified HTTPS, within bounds on time and size."""

import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from certifier.roots import TrustStoreUnreachable, fetch, fetch_rds_bundle, verifying_context
from sandbox.pki import Authority

pytestmark = pytest.mark.real_clock("OpenSSL verifies the store by the machine's clock")

CA = Authority.root("Trust store CA")
BODY = b"# a bundle\n" * 100


class _Store(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        match self.path:
            case "/moved":
                self.send_response(302)
                self.send_header("Location", "/good")
                self.end_headers()
            case "/gone":
                self.send_error(404)
            case "/huge":
                self.send_response(200)
                self.end_headers()
                for _ in range(64):
                    self.wfile.write(b"x" * 16384)
            case "/slow":
                self.send_response(200)
                self.end_headers()
                for _ in range(600):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.05)
            case _:
                self.send_response(200)
                self.send_header("Content-Length", str(len(BODY)))
                self.end_headers()
                self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    leaf = CA.issue(dns=("localhost",))
    (tmp_path / "chain.pem").write_bytes(leaf.fullchain_pem)
    (tmp_path / "key.pem").write_bytes(leaf.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain.pem", tmp_path / "key.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Store)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=CA.certificate_pem.decode())
    return context


def get(url: str, context: ssl.SSLContext | None = None) -> bytes:
    return fetch_rds_bundle("eu-west-1", url=url, context=context or trusting())


def test_a_bundle_comes_whole(store: str) -> None:
    """From a server whose chain and name verify."""
    assert get(f"{store}/good") == BODY


def test_a_server_that_does_not_verify_is_not_believed(store: str) -> None:
    """Neither one of an unknown CA, nor one under another name."""
    with pytest.raises(TrustStoreUnreachable, match="cannot be reached"):
        get(f"{store}/good", verifying_context())
    with pytest.raises(TrustStoreUnreachable, match="cannot be reached"):
        get(f"{store.replace('localhost', '127.0.0.1')}/good")


def test_verification_is_on() -> None:
    """Chain and host name, by default."""
    context = verifying_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize(
    ("path", "why"),
    [("moved", "answered 302"), ("gone", "answered 404"), ("huge", "larger than")],
)
def test_what_is_not_a_bundle_is_refused(store: str, path: str, why: str) -> None:
    """A redirect is not followed, and nothing is read beyond the bound."""
    with pytest.raises(TrustStoreUnreachable, match=why):
        get(f"{store}/{path}")


def test_a_store_that_trickles_is_left(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound on time is over all of it, not over each byte."""
    monkeypatch.setattr(fetch, "SECONDS", 0.3)
    begin = time.monotonic()
    with pytest.raises(TrustStoreUnreachable, match=r"took longer|cannot be read"):
        get(f"{store}/slow")
    assert time.monotonic() - begin < 10
