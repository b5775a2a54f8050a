"""What ``make-certificates`` makes, served by a real PostgreSQL and verified by a real libpq."""

from pathlib import Path

import psycopg
import pytest

from certifier.certificate.make import KeyType
from certifier.cli import main
from sandbox.postgres import Access, Postgres, TlsFiles

HOST = "orders.db.example.com"


def made(folder: Path, *argv: str) -> TlsFiles:
    assert main(["make-certificates", str(folder), "--host", HOST, "::1", *argv]) == 0
    return TlsFiles((folder / "server.crt").read_bytes(), (folder / "server.key").read_bytes())


@pytest.mark.parametrize("key_type", [KeyType.EC_P256, KeyType.EC_P384, KeyType.RSA_2048])
def test_libpq_verifies_what_was_made(tmp_path: Path, key_type: KeyType) -> None:
    """libpq connects under verify-full with root.crt, and refuses another name."""
    files = made(tmp_path, "--key-type", key_type)
    with Postgres.start(tls=files, hba=Access.TLS_ONLY) as server:
        trusting = {"sslmode": "verify-full", "sslrootcert": str(tmp_path / "root.crt")}
        known = server.parameters(**trusting) | {"host": HOST, "hostaddr": server.host}
        with psycopg.connect(**known) as connection:
            row = connection.execute(
                "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            ).fetchone()
        assert row == (True,)
        with pytest.raises(psycopg.OperationalError, match="does not match host name"):
            psycopg.connect(**known | {"host": "other.example.com"})
