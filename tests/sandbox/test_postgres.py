"""The PostgreSQL fixture: it is what a test asked for, and nothing of it stays behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest

from sandbox.pki import Authority
from sandbox.postgres import (
    Access,
    Postgres,
    PostgresError,
    Stop,
    TlsFiles,
    available_majors,
    end_orphans,
)
from sandbox.postgres import server as process

pytestmark = pytest.mark.real_clock("PostgreSQL and libpq go by the machine's clock")
ROOT = Authority.root()
LEAF = ROOT.issue(["localhost"], ["127.0.0.1"])


def wait_for(text: str, server: Postgres) -> None:
    """Connect until the server answers with this error."""
    for _attempt in range(500):
        try:
            psycopg.connect(**server.parameters()).close()
        except psycopg.OperationalError as error:
            if text in str(error):
                return
    pytest.fail(f"the server never said {text!r}")


@pytest.mark.parametrize("major", available_majors())
def test_every_major_serves_tls(major: int) -> None:
    """Each installed major starts, serves the given certificate, and logs in with SCRAM."""
    with Postgres.start(major=major, tls=LEAF, hba=Access.TLS_ONLY) as server:
        assert server.server_version.startswith(f"{major}.")
        with psycopg.connect(**server.parameters(sslmode="require")) as connection:
            row = connection.execute(
                "SELECT ssl, current_user::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            ).fetchone()
        assert row == (True, "postgres")


def test_majors_that_are_missing_say_what_to_do() -> None:
    """A major that is not installed is an error that names the command which installs it."""
    with pytest.raises(PostgresError, match=r"PostgreSQL 9 is not installed.*make setup"):
        Postgres.start(major=9)


def test_a_new_certificate_is_served_only_after_the_reload(tmp_path: Path) -> None:
    """Written material is not served before the reload, and `use_tls` returns once it is."""
    trust = tmp_path / "root.crt"
    trust.write_bytes(ROOT.certificate_pem)
    other = Authority.root("Other root")
    with Postgres.start(tls=LEAF) as server:
        verifying = server.parameters(sslmode="verify-full", sslrootcert=str(trust))
        server.write_tls(other.issue(["localhost"], ["127.0.0.1"]))
        psycopg.connect(**verifying).close()
        server.reload()
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            psycopg.connect(**verifying)
        server.use_tls(LEAF)
        psycopg.connect(**verifying).close()


def test_tls_can_be_turned_on_later() -> None:
    """A server without TLS refuses it, and takes a certificate without a restart."""
    with Postgres.start() as server:
        with pytest.raises(psycopg.OperationalError, match="does not support SSL"):
            psycopg.connect(**server.parameters(sslmode="require"))
        server.use_tls(LEAF)
        psycopg.connect(**server.parameters(sslmode="require")).close()


def test_material_that_the_server_refuses_is_an_error() -> None:
    """A key that does not fit is an error with the server's words; the old certificate stays."""
    wrong = TlsFiles(LEAF.fullchain_pem, ROOT.issue().key_pem)
    with Postgres.start(tls=ROOT.issue(["other.test"])) as server:
        with pytest.raises(PostgresError, match="still serves the former one"):
            server.use_tls(wrong)
        psycopg.connect(**server.parameters(sslmode="require")).close()


def test_key_file_is_private() -> None:
    """The key has mode 0600 and belongs to the server's user."""
    with Postgres.start(tls=LEAF) as server:
        found = (server.data_directory / "server.key").stat()
        assert found.st_mode & 0o777 == 0o600
        assert found.st_uid == server.data_directory.stat().st_uid
        assert LEAF.key_pem.decode() not in server.log()


def test_users_databases_and_hba() -> None:
    """Roles and databases are there, a password with quotes works, and hba lines decide."""
    with Postgres.start(users={"app": 'it\'s "odd" \\ %s'}, databases=["orders"]) as server:
        asked = server.parameters(user="app", password='it\'s "odd" \\ %s', dbname="orders")
        psycopg.connect(**asked).close()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(**asked | {"password": "wrong"})
        server.set_hba(["host postgres all all scram-sha-256"])
        with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
            psycopg.connect(**asked)
        assert server.execute("SELECT current_user::text") == [("postgres",)]
        with pytest.raises(PostgresError, match="invalid authentication method"):
            server.set_hba(["host all all all magic"])


def test_settings_are_used_and_quoted() -> None:
    """Settings reach the server as they are, quotes and backslashes included."""
    name = "it's a \\ test"
    with Postgres.start(settings={"cluster_name": name, "max_connections": "7"}) as server:
        assert server.execute("SHOW cluster_name") == [(name,)]
        assert server.execute("SHOW max_connections") == [("7",)]
        server.configure({"work_mem": "5MB"})
        assert server.execute("SHOW work_mem") == [("5MB",)]


def test_restart_keeps_port_and_data() -> None:
    """After a stop nothing listens; after a restart the same port and the same data are there."""
    with Postgres.start() as server:
        server.execute("CREATE TABLE kept AS SELECT 1 AS one")
        port = server.port
        server.stop(Stop.FAST)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.host, port), timeout=5)
        server.restart()
        assert server.port == port
        assert server.execute("SELECT one FROM kept") == [(1,)]


def test_a_taken_port_is_not_taken_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port taken in between is replaced by another; one that was asked for is an error."""
    with Postgres.start() as first:
        offered = iter([first.port, first.port])
        free = process._free_port
        monkeypatch.setattr(process, "_free_port", lambda listen: next(offered, free(listen)))
        with Postgres.start() as second:
            assert second.port != first.port
        with pytest.raises(PostgresError, match="did not start"):
            Postgres.start(port=first.port)


def test_many_at_once() -> None:
    """Servers started by several threads at once do not disturb each other."""
    ports: list[int] = []

    def run() -> None:
        with Postgres.start() as server:
            ports.append(server.execute("SELECT inet_server_port() IS NULL")[0][0] and server.port)

    threads = [threading.Thread(target=run) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(ports)) == 4


def test_nothing_is_left_behind() -> None:
    """After the block the process is gone and so are its files."""
    with Postgres.start() as server:
        folder = server.folder
        pid = int((server.data_directory / "postmaster.pid").read_text().split()[0])
        os.kill(pid, 0)
    assert not folder.exists()
    assert not folder.with_suffix(".lock").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("end", ["sys.exit(0)", "os._exit(0)"])
def test_servers_of_a_dead_process_are_ended(end: str) -> None:
    """A process that exits ends its servers; one that was killed leaves them to the next sweep."""
    script = (
        "import os, sys\n"
        "from sandbox.postgres import Postgres\n"
        "server = Postgres.start()\n"
        "print(server.folder, server.port, flush=True)\n" + end
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    folder, port = done.stdout.split()
    end_orphans()
    assert not Path(folder).exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)), timeout=5)


def test_recovery_and_shutdown_can_be_held() -> None:
    """A server can be kept starting up, and kept shutting down, to see what a client gets."""
    with Postgres.start(hba=Access.TRUST) as server:
        with psycopg.connect(**server.parameters()):
            server.stop(Stop.SMART, wait=False)
            wait_for("shutting down", server)
        server.start_as_standby()
        with pytest.raises(psycopg.OperationalError, match=r"not accepting|starting up"):
            psycopg.connect(**server.parameters())
