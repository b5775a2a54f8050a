"""What libpq itself says, in any of the installed majors: the reference for the words we read.

psycopg brings one libpq, built with its own OpenSSL; the PostgreSQL packages bring theirs (12 to 18
with OpenSSL 1.1.1). Each call is a process of its own, because two OpenSSLs do not share one well.
"""

import subprocess
import sys
from collections.abc import Mapping

from sandbox.postgres import PostgresError, libpq_file
from sandbox.preloaded import preloaded

_CONNECT = """
import ctypes, sys
libpq = ctypes.CDLL(sys.argv[1])
libpq.PQconnectdb.restype = ctypes.c_void_p
libpq.PQerrorMessage.restype = ctypes.c_char_p
libpq.PQerrorMessage.argtypes = libpq.PQfinish.argtypes = [ctypes.c_void_p]
libpq.PQconnectdb.argtypes = [ctypes.c_char_p]
connection = libpq.PQconnectdb(sys.stdin.buffer.read())
sys.stdout.buffer.write(libpq.PQerrorMessage(connection))
libpq.PQfinish(connection)
"""


def refusal(
    major: int,
    parameters: Mapping[str, object],
    *,
    environment: Mapping[str, str] | None = None,
    seconds: float = 30.0,
) -> str:
    """The error text of libpq ``major`` for these connection parameters; empty when it connects.

    ``environment`` is added to what is preloaded alone.

    Raises PostgresError when that libpq cannot be run here.
    """
    pairs = (f"{name}={_quoted(str(value))}" for name, value in parameters.items())
    done = subprocess.run(
        [sys.executable, "-I", "-c", _CONNECT, str(libpq_file(major))],
        input=" ".join(pairs).encode(),
        env={**preloaded(), "LC_ALL": "C", "HOME": "/nonexistent", **(environment or {})},
        capture_output=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode != 0:
        raise PostgresError(f"libpq {major} failed: {done.stderr.decode(errors='replace')[-500:]}")
    return done.stdout.decode(errors="replace")


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
