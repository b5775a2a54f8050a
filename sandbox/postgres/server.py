"""One server process: started, reconfigured, stopped, and removed."""

from __future__ import annotations

import atexit
import fcntl
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

import psycopg

from sandbox.postgres.configuration import (
    SETTINGS,
    Access,
    TlsMaterial,
    pg_hba_conf,
    postgresql_conf,
)
from sandbox.postgres.errors import PostgresError
from sandbox.postgres.ground import Ground, find_ground, lock_file, server_environment
from sandbox.postgres.roles import prepare
from sandbox.postgres.served import served_leaf

_READY_SECONDS = 30.0
_STOP_SECONDS = 20.0
_RELOAD_SECONDS = 10.0
_PORT_ATTEMPTS = 10


class Stop(StrEnum):
    """How to stop: wait for sessions, end them, or drop everything."""

    SMART = "smart"
    FAST = "fast"
    IMMEDIATE = "immediate"


_SIGNALS = {
    Stop.SMART: signal.SIGTERM,
    Stop.FAST: signal.SIGINT,
    Stop.IMMEDIATE: signal.SIGQUIT,
}

_running: set[Postgres] = set()


class Postgres:
    """One server. Make it with `start`; as a context manager it is stopped and removed."""

    def __init__(self, ground: Ground, major: int, listen: Sequence[str]) -> None:
        self.major = major
        self.host = listen[0] if listen else ""
        self.port = 0
        self.user = "postgres"
        self.password = secrets.token_urlsafe(18)
        self.database = "postgres"
        self.server_version = ""
        self._listen = tuple(listen)
        self._ground = ground
        self._binaries = ground.binaries(major)
        self._settings: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._creator = os.getpid()
        cluster = ground.cluster(major)
        with ground.locked("servers.lock"):
            self.folder = ground.path / "servers" / secrets.token_hex(4)
            self._owner = lock_file(self.folder.with_suffix(".lock"))
            fcntl.flock(self._owner, fcntl.LOCK_EX)
            ground.make_folder(self.folder)
        (self.folder / "pg_ctl").symlink_to(self._binaries / "bin" / "pg_ctl")
        self.data_directory = self.folder / "data"
        ground.run(["cp", "-R", cluster, self.data_directory])

    @classmethod
    def start(
        cls,
        *,
        major: int = 17,
        tls: TlsMaterial | None = None,
        hba: Access | Sequence[str] = Access.ANY,
        settings: Mapping[str, str] | None = None,
        users: Mapping[str, str] | None = None,
        databases: Sequence[str] = (),
        client_ca: bytes | None = None,
        crl: bytes | None = None,
        listen: Sequence[str] = ("127.0.0.1",),
        port: int | None = None,
        password_encryption: str = "scram-sha-256",
    ) -> Postgres:
        """A server that answers. Raises PostgresError when it cannot be started.

        `users` are login roles with their passwords, beside the superuser `.user`. `client_ca` and
        `crl` (PEM) judge client certificates. `settings` go into postgresql.conf.
        """
        server = cls(find_ground(), major, listen)
        _running.add(server)
        try:
            server._settings = {
                **SETTINGS,
                **({"io_method": "sync"} if major >= 18 else {}),
                "listen_addresses": ",".join(listen),
                "unix_socket_directories": str(server.folder),
                "password_encryption": password_encryption,
            }
            if tls is not None:
                server.write_tls(tls)
                server._settings |= {"ssl": "on"}
            if client_ca is not None:
                server.write_file("client_ca.crt", client_ca)
                server._settings["ssl_ca_file"] = "client_ca.crt"
            if crl is not None:
                server.write_file("client.crl", crl)
                server._settings["ssl_crl_file"] = "client.crl"
            server._settings |= dict(settings or {})
            server._write_hba(hba)
            server._launch(port)
            server._prepare(users or {}, databases)
        except BaseException:
            server.close()
            raise
        return server

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Postgres {self.major} at {self.host}:{self.port}>"

    # ---- what a client needs

    def parameters(self, **more: Any) -> dict[str, Any]:
        """Keyword arguments for `psycopg.connect` over TCP as the superuser."""
        base = {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "password": self.password,
            "connect_timeout": 10,
        }
        return {**base, **more}

    def execute(
        self, statement: str, values: Sequence[object] = (), *, database: str = "postgres"
    ) -> list[tuple[Any, ...]]:
        """Run SQL as the superuser over the private socket; the rows, if any."""
        with self._connect(database) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def log(self) -> str:
        """All that the server has written so far."""
        try:
            return (self.folder / "log").read_text("utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    # ---- changing it

    def write_tls(self, material: TlsMaterial) -> None:
        """Put certificate and key where PostgreSQL reads them (key 0600), without a reload."""
        self.write_file("server.crt", material.fullchain_pem)
        self.write_file("server.key", material.key_pem)

    def use_tls(self, material: TlsMaterial) -> None:
        """Serve this from now on. Returns once it is served; PostgresError when it was refused."""
        served = served_leaf(self.host, self.port) if self._settings.get("ssl") == "on" else None
        self.write_tls(material)
        self.configure({"ssl": "on"})
        expected = ssl.PEM_cert_to_DER_cert(
            material.fullchain_pem.decode("latin-1").split("-----END CERTIFICATE-----")[0]
            + "-----END CERTIFICATE-----\n"
        )
        now = served_leaf(self.host, self.port)
        if now != expected:
            kept = "it still serves the former one" if now == served else "it serves no TLS"
            raise PostgresError(f"the server did not take the certificate, {kept}\n{self._tail()}")

    def configure(self, settings: Mapping[str, str]) -> None:
        """Change settings that a reload can change, and reload."""
        self._settings |= dict(settings)
        self._write_settings()
        self.reload()

    def set_hba(self, hba: Access | Sequence[str]) -> None:
        """Replace pg_hba.conf and reload. The private socket stays trusted.

        Raises PostgresError for a file that the server does not take: it would keep the old one.
        """
        self._write_hba(hba)
        self.reload()
        wrong = self.execute(
            "SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL"
        )
        if wrong:
            raise PostgresError(f"the server did not take pg_hba.conf: {wrong}")

    def reload(self) -> None:
        """Reload, and wait until new sessions see the new configuration."""
        before = self._load_time()
        process = self._alive()
        process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + _RELOAD_SECONDS
        while self._load_time() == before:
            if time.monotonic() > deadline:
                raise PostgresError(f"the reload was not seen\n{self._tail()}")
            time.sleep(0.002)

    def stop(self, mode: Stop = Stop.FAST, *, wait: bool = True) -> None:
        """Stop. A smart stop without `wait` leaves it "shutting down" while a session lasts."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(_SIGNALS[mode])
        if wait:
            self._wait_for_end(process)
            self._process = None

    def restart(self, mode: Stop = Stop.FAST, settings: Mapping[str, str] | None = None) -> None:
        """Stop and start again on the same port, with further settings."""
        self.stop(mode)
        self._settings |= dict(settings or {})
        self._launch(self.port)
        self._wait_until_accepting()

    def start_as_standby(self) -> None:
        """Restart into endless recovery without hot standby: it answers, and accepts no session."""
        self.stop()
        self.write_file("standby.signal", b"")
        self._settings |= {"hot_standby": "off", "restore_command": "false"}
        self._launch(self.port)

    def write_file(self, name: str, content: bytes) -> None:
        """A file in the data directory, 0600, owned by the server's user, replaced in one step."""
        target = self.data_directory / name
        half = self.data_directory / f"{name}.{secrets.token_hex(4)}"
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(content)
        self._ground.give(half)
        half.replace(target)

    def close(self) -> None:
        """Stop at once and remove everything. Safe to call again."""
        _running.discard(self)
        if os.getpid() != self._creator:
            return  # a fork of the process that owns it
        try:
            self.stop(Stop.IMMEDIATE)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
            if not self._owner.closed:
                self.folder.with_suffix(".lock").unlink(missing_ok=True)
                self._owner.close()

    # ---- inside

    def _connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=str(self.folder),
            port=self.port,
            user="postgres",
            dbname=database,
            autocommit=True,
            connect_timeout=10,
        )

    def _alive(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            raise PostgresError(f"the server is not running\n{self._tail()}")
        return self._process

    def _tail(self) -> str:
        return "\n".join(self.log().splitlines()[-12:])

    def _write_settings(self) -> None:
        self.write_file("postgresql.conf", postgresql_conf(self._settings))

    def _write_hba(self, hba: Access | Sequence[str]) -> None:
        method = self._settings.get("password_encryption", "scram-sha-256")
        self.write_file("pg_hba.conf", pg_hba_conf(hba, method))

    def _launch(self, port: int | None) -> None:
        """Start the process and wait until it listens (or, on a taken port, try another)."""
        for _attempt in range(_PORT_ATTEMPTS):
            self.port = port or _free_port(self._listen)
            self._settings["port"] = str(self.port)
            self._write_settings()
            before = len(self.log())
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [str(self._binaries / "bin" / "postgres"), "-D", str(self.data_directory)],
                    cwd=self.folder,
                    env=server_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C is for us
                    **(self._ground.account.popen() if self._ground.account else {}),
                )
            listening = self._wait_until_listening()
            collided = "Address already in use" in self.log()[before:]
            if listening and not collided:
                return
            if not collided or port:
                raise PostgresError(f"PostgreSQL {self.major} did not start\n{self._tail()}")
            self.stop(Stop.IMMEDIATE)
        raise PostgresError(f"no free port found in {_PORT_ATTEMPTS} attempts\n{self._tail()}")

    def _wait_until_listening(self) -> bool:
        """True once the pid file has its eighth line (the state); False when the process ended."""
        deadline = time.monotonic() + _READY_SECONDS
        process = self._process
        assert process is not None
        while time.monotonic() < deadline:
            if self._state():
                return True
            if process.poll() is not None:
                return False
            time.sleep(0.002)
        raise PostgresError(f"the server did not listen in time\n{self._tail()}")

    def _state(self) -> str:
        """`starting`, `stopping`, `ready`, `standby` or empty (LOCK_FILE_LINE_PM_STATUS)."""
        try:
            lines = (self.data_directory / "postmaster.pid").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return ""
        ours = self._process is not None and lines[:1] == [str(self._process.pid)]
        return lines[7].strip() if ours and len(lines) > 7 else ""

    def _wait_until_accepting(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while self._state() not in ("ready", "standby"):
            self._alive()
            if time.monotonic() > deadline:
                raise PostgresError(f"the server accepts no sessions\n{self._tail()}")
            time.sleep(0.002)

    def _prepare(self, users: Mapping[str, str], databases: Sequence[str]) -> None:
        self._wait_until_accepting()
        with self._connect("postgres") as connection:
            prepare(connection, (self.user, self.password), users, databases)
            row = connection.execute("SHOW server_version").fetchone()
        assert row is not None
        self.server_version = str(row[0])

    def _load_time(self) -> str:
        return str(self.execute("SELECT extract(epoch FROM pg_conf_load_time())::text")[0][0])

    def _wait_for_end(self, process: subprocess.Popen[bytes]) -> None:
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(_STOP_SECONDS)


def _free_port(listen: Sequence[str]) -> int:
    """A port that was free a moment ago on the first address; a collision is seen at the start."""
    address = listen[0] if listen else "127.0.0.1"
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind(("" if address in ("*", "localhost") else address, 0))
        return int(probe.getsockname()[1])


@atexit.register
def _close_all() -> None:
    for server in list(_running):
        server.close()
