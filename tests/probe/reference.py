"""What real libpq says: the one reference that the probe is held to."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg

from certifier.vocabulary import SslMode

MODES = (SslMode.REQUIRE, SslMode.VERIFY_CA, SslMode.VERIFY_FULL)


@dataclass(frozen=True)
class Said:
    """libpq's verdict, and its text if it did not connect (without "connection to ... failed")."""

    connected: bool
    text: str = ""


def libpq_says(
    host: str,
    port: int,
    mode: SslMode,
    *,
    address: str | None = "127.0.0.1",
    ca_bundle: bytes | None = None,
    crl: bytes | None = None,
    min_tls: str | None = None,
    max_tls: str | None = None,
    user: str = "postgres",
    password: str | None = None,
    timeout: int = 10,
) -> Said:
    """Connect with libpq. A file that is None is named to libpq, and is not there."""
    with tempfile.TemporaryDirectory() as folder:
        names = {"sslrootcert": ca_bundle, "sslcrl": crl}
        for name, content in names.items():
            if content is not None:
                (Path(folder) / name).write_bytes(content)
        parameters = {
            "host": host,
            "hostaddr": address,
            "port": port,
            "user": user,
            "dbname": "postgres",
            "password": password,
            "sslmode": mode.value,
            "gssencmode": "disable",
            "connect_timeout": timeout,
            "ssl_min_protocol_version": _protocol(min_tls),
            "ssl_max_protocol_version": _protocol(max_tls),
            **{name: f"{folder}/{name}" for name in names},
        }
        given = {name: value for name, value in parameters.items() if value is not None}
        try:
            psycopg.connect(**given).close()  # type: ignore[arg-type]
        except psycopg.Error as error:
            return Said(connected=False, text=str(error).rpartition(" failed: ")[2])
        return Said(connected=True)


def _protocol(version: str | None) -> str | None:
    return None if version is None else f"TLSv{version.removesuffix('.0')}"
