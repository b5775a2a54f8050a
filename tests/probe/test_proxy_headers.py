"""A load balancer with the PROXY protocol in front of PostgreSQL, which does not know it."""

import socket

from certifier.probe import AddressPolicy, ProbeRequest, probe
from certifier.vocabulary import Cause
from sandbox.pki import Authority
from sandbox.postgres import Access, Postgres
from tests.probe.fakes import Fake, Peer
from tests.probe.reference import libpq_says

HOST = "orders.db.example.com"
ROOT = Authority.root("Example root")
_HEADER = b"PROXY TCP4 10.0.0.1 10.0.0.2 50000 5432\r\n"


def test_proxy_headers_are_what_to_look_for() -> None:
    """PostgreSQL hangs up without a word; what its log says is in the remedy."""
    with Postgres.start(tls=ROOT.issue(dns=[HOST]), hba=Access.TLS_ONLY) as server:

        def balancer(peer: Peer) -> None:
            with socket.create_connection((server.host, server.port), timeout=5) as behind:
                behind.sendall(_HEADER + peer.receive())
                peer.send(behind.recv(1))

        with Fake(balancer) as fake:
            request = ProbeRequest(
                HOST,
                port=fake.port,
                address="127.0.0.1",
                ca_bundle=ROOT.certificate_pem,
                policy=AddressPolicy.anywhere(),
            )
            report = probe(request)
            said = libpq_says(HOST, fake.port, request.ssl_mode, ca_bundle=request.ca_bundle)
        (found,) = report.findings
        assert found.cause is Cause.CONNECTION_RESET
        assert not said.connected
        assert "PROXY" in found.remedy
        assert '"invalid length of startup packet"' in found.remedy
        assert "invalid length of startup packet" in server.log()
