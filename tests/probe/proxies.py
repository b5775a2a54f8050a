"""Real poolers and proxies, from the system or from its package registry, without root.

    bouncer = find("pgbouncer")              # skips the test, with the reason, where there is none
    with running([bouncer, "-q", ini], port):

A package is downloaded and unpacked once, below ``build/``; nothing is installed.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2] / "build" / "proxies"
_SECONDS = 60
# Debian's packages, with the libraries that a small system lacks.
_PACKAGES = {
    "pgbouncer": ("pgbouncer", "libc-ares2", "libevent-2.1-7"),
    "haproxy": ("haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1"),
    "stunnel4": ("stunnel4", "libwrap0"),
    "pgpool": ("pgpool2", "libpgpool2", "libmemcached11", "libhashkit2"),
    "nginx": ("nginx", "libnginx-mod-stream"),
}


def find(name: str) -> Path:
    """The program; skips the test where it cannot be had."""
    try:
        return _found(name)
    except OSError as problem:
        pytest.skip(f"no {name} here: {problem}")


@cache
def _found(name: str) -> Path:
    installed = shutil.which(name)
    if installed is not None:
        return Path(installed)
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise FileNotFoundError("it is not installed, and there is no apt-get to download it with")
    root = _ROOT / name
    program = next(root.glob(f"usr/*bin/{name}"), None)
    if program is None:
        _unpack(_PACKAGES[name], root)
        program = next(root.glob(f"usr/*bin/{name}"), None)
    if program is None:
        raise FileNotFoundError("its package does not hold it")
    missing = subprocess.run(
        ["ldd", program], env=environment(name), capture_output=True, text=True, check=False
    )
    if "not found" in missing.stdout:
        raise FileNotFoundError(f"libraries are missing: {missing.stdout}")
    return program


def _unpack(packages: Sequence[str], root: Path) -> None:
    """Download and unpack. Raises OSError."""
    archives = _ROOT / "archives"
    archives.mkdir(parents=True, exist_ok=True)
    half = root.with_name(f"{root.name}.{os.getpid()}")
    for package in packages:
        try:
            done = subprocess.run(
                ["apt-get", "download", package],
                cwd=archives,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{package} was not downloaded in {_SECONDS} s") from None
        if done.returncode:
            raise FileNotFoundError(f"{package} cannot be downloaded: {done.stderr[-300:]}")
        archive = max(archives.glob(f"{package}_*.deb"))
        subprocess.run(["dpkg", "-x", archive, half], check=True, capture_output=True)
    with contextlib.suppress(OSError):  # another process was faster
        half.rename(root)


def environment(name: str) -> dict[str, str]:
    """Where the libraries of an unpacked program are."""
    libraries = ":".join(str(one) for one in (_ROOT / name).glob("**/lib/*-linux-gnu*"))
    return {**os.environ, "LD_LIBRARY_PATH": libraries}


@contextlib.contextmanager
def running(command: Sequence[str | Path], port: int, *, name: str) -> Iterator[None]:
    """Run a program in the foreground until the block ends; begins when it listens."""
    with subprocess.Popen(
        command, env=environment(name), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            _wait(process, port)
            yield
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        if process.poll() is not None:
            assert process.stdout is not None
            raise AssertionError(process.stdout.read().decode(errors="replace")[-2000:])
        time.sleep(0.05)
    raise AssertionError("it does not listen")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])
