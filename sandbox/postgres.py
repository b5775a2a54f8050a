"""A real PostgreSQL server for tests, the demo and the scenarios: any major, any TLS, any hba file.

    with Postgres.start(major=17, tls=leaf, hba=Access.TLS_ONLY) as server:
        server.host, server.port, server.user, server.password
        server.use_tls(next_leaf)          # replaced, reloaded, and seen to be served

The binaries are npm packages (`node_modules/postgres-17-linux-x64`). They are copied once per
machine into a folder that any user can enter, with the links that their skipped install script
would have made, because PostgreSQL does not run as root and a clone may lie where nobody else can
look. A cluster is initialised once per major and copied for each server, so a server is up in a
fraction of a second. Servers end with the `with` block, at the end of the process, or, when the
process was killed, with the next process that starts a server on this machine.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import json
import os
import platform
import pwd
import secrets
import shutil
import signal
import socket
import ssl
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import psycopg
from psycopg import sql

MAJORS = (15, 16, 17, 18)
_PACKAGES = Path(__file__).resolve().parent.parent / "node_modules"
_READY_SECONDS = 30.0
_STOP_SECONDS = 20.0
_RELOAD_SECONDS = 10.0
_COMMAND_SECONDS = 120.0
_PORT_ATTEMPTS = 10
_SOCKET_PATH_LIMIT = 100  # sun_path holds 104 (macOS) to 108 bytes
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


class PostgresError(RuntimeError):
    """The server did not do what a test asked; the text says what, and shows the end of its log."""


class TlsMaterial(Protocol):
    """What PostgreSQL serves: `sandbox.pki.Leaf`, or anything with the same two properties."""

    @property
    def fullchain_pem(self) -> bytes: ...
    @property
    def key_pem(self) -> bytes: ...


@dataclass(frozen=True)
class TlsFiles:
    """PEM bytes as they are, right or wrong."""

    fullchain_pem: bytes
    key_pem: bytes = field(repr=False)


class Access(StrEnum):
    """Ready-made pg_hba.conf files; the line is for every database, user and address."""

    ANY = "host all all all {method}"
    TLS_ONLY = "hostssl all all all {method}"
    PLAIN_ONLY = "hostnossl all all all {method}"
    TRUST = "host all all all trust"
    CLEAR_TEXT = "host all all all password"
    MD5 = "host all all all md5"
    CLIENT_CERTIFICATE = "hostssl all all all {method} clientcert=verify-ca"
    CLIENT_CERTIFICATE_ONLY = "hostssl all all all cert"
    NOBODY = "host all all all reject"
    NO_ENTRY = ""


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

_SETTINGS: dict[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",
    "huge_pages": "off",
    "shared_buffers": "16MB",
    "max_connections": "30",
    "max_wal_size": "64MB",
    "max_logical_replication_workers": "0",
    "max_parallel_workers": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_connections": "on",
    "log_destination": "stderr",
}


# ---- binaries


def available_majors() -> tuple[int, ...]:
    """The majors whose packages are installed, smallest first."""
    return tuple(major for major in MAJORS if (_package(major) / "native").is_dir())


def libpq_file(major: int) -> Path:
    """The libpq that belongs to this major. Raises PostgresError when it is not installed."""
    name = "libpq.5.dylib" if sys.platform == "darwin" else "libpq.so.5"
    return _find_ground().binaries(major) / "lib" / name


def _platform() -> str:
    system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform)
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(
        platform.machine().lower()
    )
    if system is None or machine is None:
        raise PostgresError(
            f"no PostgreSQL binaries for {sys.platform} on {platform.machine()}: "
            "linux and darwin, on x64 and arm64, are supported"
        )
    return f"{system}-{machine}"


def _package(major: int) -> Path:
    return _PACKAGES / f"postgres-{major}-{_platform()}"


@dataclass(frozen=True)
class _Account:
    """Whom the server runs as; None when we are not root and it runs as us."""

    uid: int
    gid: int

    @classmethod
    def find(cls) -> _Account | None:
        if os.geteuid() != 0:
            return None
        for name in ("nobody", "postgres", "daemon"):
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid)
        raise PostgresError(
            "PostgreSQL does not run as root, and none of the users nobody, postgres and daemon "
            "exists to run it as"
        )

    def popen(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "OPENSSL_CONF": os.devnull}


@dataclass(frozen=True)
class _Ground:
    """This user's folder on this machine: copied binaries, initialised clusters, servers."""

    path: Path
    account: _Account | None

    @classmethod
    def find(cls) -> _Ground:
        account = _Account.find()
        name = f"certifier-postgres-{os.geteuid()}"
        tried = []
        for parent in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp")):
            path = Path(os.path.realpath(parent)) / name
            why_not = _unusable(path, account)
            if why_not is None:
                ground = cls(path, account)
                for folder in ("binaries", "clusters", "servers"):
                    (path / folder).mkdir(exist_ok=True)
                    (path / folder).chmod(0o755)
                return ground
            tried.append(f"{path}: {why_not}")
        raise PostgresError("no folder to run PostgreSQL in: " + "; ".join(tried))

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[None]:
        with _lock_file(self.path / name) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def run(self, command: Sequence[str | Path]) -> None:
        """A command as the server's user. Raises PostgresError with its output."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.path,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_COMMAND_SECONDS,
            check=False,
            **(self.account.popen() if self.account else {}),
        )
        if done.returncode != 0:
            output = done.stdout.decode(errors="replace")[-2000:]
            raise PostgresError(f"{Path(command[0]).name} failed: {output}")

    def give(self, path: Path) -> None:
        """Hand a file or folder to the server's user."""
        if self.account:
            os.chown(path, self.account.uid, self.account.gid, follow_symlinks=False)

    def make_folder(self, path: Path) -> None:
        path.mkdir(mode=0o700)
        self.give(path)

    def binaries(self, major: int) -> Path:
        """The folder with `bin`, `lib` and `share` of this major, copied when it is missing."""
        package = _package(major)
        try:
            described = json.loads((package / "package.json").read_text("utf-8"))
        except FileNotFoundError:
            raise PostgresError(
                f"PostgreSQL {major} is not installed ({package} is missing): run `make setup`"
            ) from None
        target = self.path / "binaries" / f"{major}-{described['version']}-{_platform()}"
        with self.locked(f"binaries-{major}.lock"):
            if not _complete(target):
                shutil.rmtree(target, ignore_errors=True)
                half = target.with_suffix(f".{secrets.token_hex(4)}")
                _copy_binaries(package, half)
                half.rename(target)
        return target

    def cluster(self, major: int) -> Path:
        """A freshly initialised data directory of this major, to be copied."""
        binaries = self.binaries(major)
        target = self.path / "clusters" / binaries.name
        with self.locked(f"cluster-{major}.lock"):
            if not (target / "global" / "pg_control").is_file():
                shutil.rmtree(target, ignore_errors=True)
                half = target.with_suffix(f".{secrets.token_hex(4)}")
                self.make_folder(half)
                options = "--username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync"
                self.run(
                    [
                        binaries / "bin" / "initdb",
                        *options.split(),
                        "--no-instructions",
                        "--wal-segsize=1",
                        f"--pgdata={half}",
                    ]
                )
                half.rename(target)
        return target


def _lock_file(path: Path) -> Any:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "rb+")


def _unusable(path: Path, account: _Account | None) -> str | None:
    """Why servers cannot live here; None when they can (the folder then exists)."""
    if len(f"{path}/servers/12345678/.s.PGSQL.65535") > _SOCKET_PATH_LIMIT:
        return "too long for the path of a socket"
    if not path.parent.is_dir():
        return "no such folder"
    if os.statvfs(path.parent).f_flag & getattr(os, "ST_NOEXEC", 0):
        return "mounted noexec"
    if account and not all(p.stat().st_mode & stat.S_IXOTH for p in path.parents):
        return "other users cannot enter it"
    try:
        path.mkdir(mode=0o755, exist_ok=True)
    except OSError as error:
        return error.strerror or type(error).__name__
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return "belongs to someone else"
    path.chmod(0o755)
    return None


def _complete(binaries: Path) -> bool:
    """Whether a copy still has all its files; cleaners of temporary folders take single ones."""
    try:
        expected = int((binaries / "complete").read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return False
    return expected == _count_files(binaries)


def _count_files(folder: Path) -> int:
    return sum(len(files) for _path, _folders, files in os.walk(folder))


def _copy_binaries(package: Path, target: Path) -> None:
    native = package / "native"
    shutil.copytree(
        native,
        target,
        symlinks=True,
        ignore=shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "pg-symlinks.json"),
    )
    links = native / "pg-symlinks.json"
    for row in json.loads(links.read_text("utf-8")) if links.is_file() else ():
        source, link = (
            target / Path(row[part]).relative_to("native") for part in ("source", "target")
        )
        if source.exists() and not os.path.lexists(link):
            link.symlink_to(os.path.relpath(source, link.parent))
    for folder, _folders, files in os.walk(target):
        Path(folder).chmod(0o755)
        for name in files:
            file = Path(folder, name)
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644)
    for name in ("initdb", "pg_ctl", "postgres"):
        (target / "bin" / name).chmod(0o755)
    (target / "complete").write_text(str(_count_files(target) + 1), "ascii")


# ---- server

_running: set[Postgres] = set()


@functools.cache
def _find_ground() -> _Ground:
    """This machine's ground; on the first call, servers left by killed processes are ended."""
    ground = _Ground.find()
    _sweep(ground)
    return ground


def end_orphans() -> None:
    """End the servers of processes that were killed, and remove what they left."""
    _sweep(_Ground.find())


def _sweep(ground: _Ground) -> None:
    with ground.locked("servers.lock"):
        for lock in sorted((ground.path / "servers").glob("*.lock")):
            with _lock_file(lock) as handle:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # its process lives
                _end_orphan(ground, lock.with_suffix(""))
                lock.unlink()


def _end_orphan(ground: _Ground, folder: Path) -> None:
    pid_file = folder / "data" / "postmaster.pid"
    control = folder / "pg_ctl"
    if pid_file.is_file() and control.exists():
        with contextlib.suppress(PostgresError):  # pg_ctl fails when the process is gone already
            ground.run(
                [control, "stop", "--mode=immediate", "--silent", f"--pgdata={pid_file.parent}"]
            )
    shutil.rmtree(folder, ignore_errors=True)


class Postgres:
    """One server. Make it with `start`; as a context manager it is stopped and removed."""

    def __init__(self, ground: _Ground, major: int, listen: Sequence[str]) -> None:
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
            self._owner = _lock_file(self.folder.with_suffix(".lock"))
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
        server = cls(_find_ground(), major, listen)
        _running.add(server)
        try:
            server._settings = {
                **_SETTINGS,
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

    @property
    def socket_directory(self) -> Path:
        """Where the private socket lies; whoever reaches it is trusted."""
        return self.folder

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
        served = self._served() if self._settings.get("ssl") == "on" else None
        self.write_tls(material)
        self.configure({"ssl": "on"})
        expected = ssl.PEM_cert_to_DER_cert(
            material.fullchain_pem.decode("latin-1").split("-----END CERTIFICATE-----")[0]
            + "-----END CERTIFICATE-----\n"
        )
        now = self._served()
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
        lines = [f"{name} = {_quoted(value)}" for name, value in sorted(self._settings.items())]
        self.write_file("postgresql.conf", ("\n".join(lines) + "\n").encode())

    def _write_hba(self, hba: Access | Sequence[str]) -> None:
        method = self._settings.get("password_encryption", "scram-sha-256")
        lines = [hba.value.format(method=method)] if isinstance(hba, Access) else list(hba)
        self.write_file("pg_hba.conf", ("\n".join(["local all all trust", *lines]) + "\n").encode())

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
                    env=_environment(),
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
            connection.execute(_password_statement("ALTER", self.user, self.password))
            for name, password in users.items():
                connection.execute(_password_statement("CREATE", name, password))
            for name in databases:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            row = connection.execute("SHOW server_version").fetchone()
        assert row is not None
        self.server_version = str(row[0])

    def _load_time(self) -> str:
        return str(self.execute("SELECT extract(epoch FROM pg_conf_load_time())::text")[0][0])

    def _served(self) -> bytes | None:
        """The leaf as served, DER; None when the server refuses TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection((self.host, self.port), timeout=10) as raw:
            raw.sendall(_SSL_REQUEST)
            if raw.recv(1) != b"S":
                return None
            with context.wrap_socket(raw) as wrapped:
                return wrapped.getpeercert(binary_form=True)

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


def _password_statement(verb: Literal["ALTER", "CREATE"], name: str, password: str) -> sql.Composed:
    return sql.SQL(verb + " ROLE {} LOGIN PASSWORD {}").format(
        sql.Identifier(name), sql.Literal(password)
    )


def _quoted(value: str) -> str:
    """A value as postgresql.conf takes it, where a backslash escapes and a quote is doubled."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


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
