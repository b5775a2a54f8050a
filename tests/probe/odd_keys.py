"""Keys that a server or a CA may have and that hardly anybody has, made by OpenSSL's command."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import dataclass
from functools import cache
from math import lcm
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from certifier.certificate import asn1

HOST = "db.example.com"
_SECONDS = 60
_PSS = ("-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")


def _pss(digest: str, salt: int) -> tuple[str, ...]:
    return (
        *_PSS,
        *("-pkeyopt", f"rsa_pss_keygen_md:{digest}"),
        *("-pkeyopt", f"rsa_pss_keygen_mgf1_md:{digest}"),
        *("-pkeyopt", f"rsa_pss_keygen_saltlen:{salt}"),
    )


def _curve(name: str, encoding: str = "named_curve") -> tuple[str, ...]:
    given = ("-pkeyopt", f"ec_paramgen_curve:{name}", "-pkeyopt", f"ec_param_enc:{encoding}")
    return ("-algorithm", "EC", *given)


_MADE: Final = {
    "Ed25519": ("-algorithm", "ED25519"),
    "Ed448": ("-algorithm", "ED448"),
    "P-192": _curve("prime192v1"),
    "P-224": _curve("secp224r1"),
    "P-521": _curve("secp521r1"),
    "secp256k1": _curve("secp256k1"),
    "brainpoolP256r1": _curve("brainpoolP256r1"),
    "brainpoolP384r1": _curve("brainpoolP384r1"),
    "brainpoolP512r1": _curve("brainpoolP512r1"),
    "brainpoolP320r1": _curve("brainpoolP320r1"),
    "sect283k1": _curve("sect283k1"),
    "P-256 with explicit parameters": _curve("prime256v1", "explicit"),
    "P-384 with explicit parameters": _curve("secp384r1", "explicit"),
    "RSA-512": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:512"),
    "RSA-1024": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"),
    "RSA-2047": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2047"),
    "RSA of three primes": (
        *("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
        *("-pkeyopt", "rsa_keygen_primes:3"),
    ),
    "RSA with exponent 3": (
        *("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
        *("-pkeyopt", "rsa_keygen_pubexp:3"),
    ),
    "RSA-PSS": _PSS,
    "RSA-PSS for SHA-256 alone": _pss("sha256", 32),
    "RSA-PSS for SHA-512 and a long salt": _pss("sha512", 128),
    "RSA-PSS for SHA-1 alone": _pss("sha1", 20),
}
KINDS: Final = (
    *_MADE,
    "DSA-1024",
    "DSA-2048",
    "RSA-2048 with an exponent of 1,000 bits",
    "RSA-4096 with an exponent of 65 bits",
    "RSA-16384",
)


def openssl(*command: str | Path, cwd: Path | None = None) -> bytes:
    """What the command prints."""
    asked = ["openssl", *map(str, command)]
    done = subprocess.run(asked, capture_output=True, timeout=_SECONDS, check=False, cwd=cwd)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@cache
def key_pem(kind: str, holder: str) -> bytes:
    """A private key (PKCS#8), made once for each holder."""
    if kind in _MADE:
        return openssl("genpkey", *_MADE[kind])
    if kind.startswith("DSA"):
        return _dsa(int(kind.rpartition("-")[2]))
    match kind:
        case "RSA-16384":
            # Two primes of 8192 bits that others have found: RFC 7919 and RFC 3526.
            return _of_primes(_group_prime("ffdhe8192"), _group_prime("modp_8192"), 65537)
        case "RSA-2048 with an exponent of 1,000 bits":
            return _with_exponent(2048, 2**999 + 1)
        case _:
            return _with_exponent(4096, 2**64 + 1)


def _dsa(bits: int) -> bytes:
    with TemporaryDirectory() as folder:
        parameters = Path(folder) / "parameters"
        wanted = ("-pkeyopt", f"dsa_paramgen_bits:{bits}")
        openssl("genpkey", "-genparam", "-algorithm", "DSA", *wanted, "-out", parameters)
        return openssl("genpkey", "-paramfile", parameters)


def _group_prime(group: str) -> int:
    wanted = ("-pkeyopt", f"group:{group}")
    pem = openssl("genpkey", "-genparam", "-algorithm", "DH", *wanted)
    made = asn1.element(base64.b64decode(b"".join(pem.splitlines()[1:-1])))
    return int.from_bytes(next(made.children()).content, "big")


def _with_exponent(bits: int, least: int) -> bytes:
    made = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}")
    key = load_pem_private_key(made, password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    own = key.private_numbers()
    return _of_primes(own.p, own.q, least)


def _of_primes(p: int, q: int, least: int) -> bytes:
    """A key of these primes, with the next exponent that they allow."""
    order = lcm(p - 1, q - 1)
    for exponent in range(least, least + 1000, 2):
        try:
            secret = pow(exponent, -1, order)
        except ValueError:
            continue
        numbers = rsa.RSAPrivateNumbers(
            p=p,
            q=q,
            d=secret,
            dmp1=secret % (p - 1),
            dmq1=secret % (q - 1),
            iqmp=pow(q, -1, p),
            public_numbers=rsa.RSAPublicNumbers(exponent, p * q),
        )
        key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    raise AssertionError("no such exponent")


@dataclass(frozen=True)
class World:
    """What a server serves, and the CA file that is meant to verify it."""

    fullchain_pem: bytes
    key_pem: bytes
    ca_pem: bytes


@cache
def world(leaf: str, ca: str) -> World:
    """A leaf with a key of one kind from a root with a key of another."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        for holder, kind in (("leaf", leaf), ("ca", ca)):
            (place / f"{holder}.key").write_bytes(key_pem(kind, holder))
        (place / "names").write_text(
            f"subjectAltName=DNS:{HOST}\nbasicConstraints=critical,CA:false\n"
            "authorityKeyIdentifier=keyid\n"
        )
        digest = _digest(ca)
        openssl(
            *("req", "-x509", "-key", "ca.key", "-out", "ca.crt", "-subj", "/CN=Example root"),
            *("-days", "300", "-addext", "keyUsage=critical,keyCertSign", *digest),
            cwd=place,
        )
        openssl("pkey", "-in", "leaf.key", "-pubout", "-out", "leaf.pub", cwd=place)
        openssl(
            *("x509", "-new", "-force_pubkey", "leaf.pub", "-subj", f"/CN={HOST}"),
            *("-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", "7", "-days", "200"),
            *("-extfile", "names", "-out", "leaf.crt", *digest),
            cwd=place,
        )
        made = [(place / name).read_bytes() for name in ("leaf.crt", "leaf.key", "ca.crt")]
    return World(*made)


def _digest(kind: str) -> tuple[str, ...]:
    for name in ("SHA-512", "SHA-1"):
        if f"for {name} " in kind:
            return (f"-{name.replace('-', '').lower()}",)
    return () if kind.startswith("Ed") else ("-sha256",)
