"""Where servers live on this machine: copied binaries, initialised clusters, running servers."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.postgres.binaries import copy_binaries, is_complete, package_of, this_platform
from sandbox.postgres.errors import PostgresError
from sandbox.preloaded import preloaded

_COMMAND_SECONDS = 120.0
_SOCKET_PATH_LIMIT = 100  # sun_path holds 104 (macOS) to 108 bytes


@dataclass(frozen=True)
class Account:
    """Whom the server runs as; None when we are not root and it runs as us."""

    uid: int
    gid: int

    @classmethod
    def find(cls) -> Account | None:
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


def server_environment() -> dict[str, str]:
    empty = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "OPENSSL_CONF": os.devnull}
    return {**preloaded(), **empty}


@dataclass(frozen=True)
class Ground:
    """This user's folder on this machine: copied binaries, initialised clusters, servers."""

    path: Path
    account: Account | None

    @classmethod
    def find(cls) -> Ground:
        account = Account.find()
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
        with lock_file(self.path / name) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def run(self, command: Sequence[str | Path]) -> None:
        """A command as the server's user. Raises PostgresError with its output."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.path,
            env=server_environment(),
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
        package = package_of(major)
        try:
            described = json.loads((package / "package.json").read_text("utf-8"))
        except FileNotFoundError:
            raise PostgresError(
                f"PostgreSQL {major} is not installed ({package} is missing): run `make setup`"
            ) from None
        target = self.path / "binaries" / f"{major}-{described['version']}-{this_platform()}"
        with self.locked(f"binaries-{major}.lock"):
            if not is_complete(target):
                shutil.rmtree(target, ignore_errors=True)
                half = target.with_suffix(f".{secrets.token_hex(4)}")
                copy_binaries(package, half)
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


def lock_file(path: Path) -> Any:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "rb+")


def _unusable(path: Path, account: Account | None) -> str | None:
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


@functools.cache
def find_ground() -> Ground:
    """This machine's ground; on the first call, servers left by killed processes are ended."""
    ground = Ground.find()
    sweep(ground)
    return ground


def libpq_file(major: int) -> Path:
    """The libpq that belongs to this major. Raises PostgresError when it is not installed."""
    name = "libpq.5.dylib" if sys.platform == "darwin" else "libpq.so.5"
    return find_ground().binaries(major) / "lib" / name


def end_orphans() -> None:
    """End the servers of processes that were killed, and remove what they left."""
    sweep(Ground.find())


def sweep(ground: Ground) -> None:
    with ground.locked("servers.lock"):
        for lock in sorted((ground.path / "servers").glob("*.lock")):
            with lock_file(lock) as handle:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # its process lives
                _end_orphan(ground, lock.with_suffix(""))
                lock.unlink()


def _end_orphan(ground: Ground, folder: Path) -> None:
    pid_file = folder / "data" / "postmaster.pid"
    control = folder / "pg_ctl"
    if pid_file.is_file() and control.exists():
        with contextlib.suppress(PostgresError):  # pg_ctl fails when the process is gone already
            ground.run(
                [control, "stop", "--mode=immediate", "--silent", f"--pgdata={pid_file.parent}"]
            )
    shutil.rmtree(folder, ignore_errors=True)
