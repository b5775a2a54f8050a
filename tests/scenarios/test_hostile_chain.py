"""A server that fills its chain with odd certificates: every place stays within its limit."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from sandbox.pki import Authority, Key, Leaf
from tests.scenarios.live import Live

ASTRAL = "\U00010000"  # printable, and four bytes in UTF-8
LOUD = "\n\x1b[2J\u202eRunbook https://evil.example.com <script>alert(1)</script> "


def odd(number: int) -> x509.Certificate:
    """Return a certificate that is weak in every way, and says a lot."""
    organization = f"{LOUD}{ASTRAL * 900}"
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization, _validate=False),
            x509.NameAttribute(NameOID.COMMON_NAME, f"odd {number}"),
        ]
    )
    return (
        Authority.root("Odd CA")
        .issue(
            dns=[f"n{name}.example.com" for name in range(200)],
            subject=subject,
            key=Key.RSA_1024,
            not_after=datetime.now(UTC) + timedelta(days=3),
            digest=hashes.SHA1(),
        )
        .certificate
    )


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_a_chain_of_odd_certificates_hides_nothing(live: Live, mode: str) -> None:
    """Item, notice, event and page are within what AWS takes, and name outcome and cause."""
    live.certified(task=False, ssl_mode=mode)
    stranger = Authority.root("Stranger").issue(dns=[live.world.host])
    chain = tuple(odd(number) for number in range(8))
    live.world.server.use_tls(Leaf(stranger.certificate, stranger.private_key, Key.EC_P256, chain))
    live.world.recertify()
    weighty = "unknown_authority" if mode == "verify-full" else "key_too_small"
    assert live.outcome == ("refused" if mode == "verify-full" else "certified")
    assert live.world.record()["cause"] == weighty
    assert live.unfinished == []
    if mode == "require":
        seen = [found["seen"] for found in live.world.state()["findings"]]
        assert sum("has a key of 1024 bits" in each for each in seen) == 8
        assert "different_node_answers" in live.cloud.notices[-1][1]
    largest = max(len(json.dumps(item, ensure_ascii=False).encode()) for item in live.cloud.items())
    assert largest < 100_000
    pages = [page for key, page in live.cloud.objects("re").items() if key.endswith(".html")]
    assert pages
    assert all(len(page) < 300_000 and b"<script>alert" not in page for page in pages)
    subject, message = live.cloud.notices[-1]
    assert weighty in subject
    assert len(message.encode()) <= 8192
    lines = message.splitlines()
    assert all(line.isprintable() for line in lines)
    assert [line for line in lines if line.startswith("  Runbook ")] == [lines[-5]]
    assert lines[-3].startswith("  Record ")
