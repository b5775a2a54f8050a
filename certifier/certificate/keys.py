"""Public and private keys: what kind they are, and a wrapper that keeps a private one to itself."""

import hashlib
from dataclasses import dataclass
from typing import Final, NoReturn

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
)

from certifier.certificate import asn1
from certifier.certificate.asn1 import DerError
from certifier.certificate.curves import why_not_read
from certifier.certificate.guard import guarded
from certifier.certificate.identify import DER_ENCRYPTED_KEY, DER_KEY, identify
from certifier.vocabulary import Cause

_RSASSA_PSS: Final = "1.2.840.113549.1.1.10"
_DSA: Final = "1.2.840.10040.4.1"
_LOADED: Final = frozenset(
    {
        "1.2.840.113549.1.1.1",  # RSA
        _RSASSA_PSS,
        "1.2.840.10045.2.1",  # elliptic curves
        "1.3.101.112",  # Ed25519
        "1.3.101.113",  # Ed448
        _DSA,
    }
)
_CURVE_NAMES: Final = {"secp256r1": "prime256v1"}  # what OpenSSL and ACM call it
_MAX_BITS: Final = 16_384  # OpenSSL verifies with no larger modulus
_MAX_KEY: Final = 16_384  # bytes of DER; RSA of _MAX_BITS needs 9,400
_MAX_DSA_KEY: Final = 1_300  # loading one raises to the power of the key; 4096 bits need 1,150
_MAX_ROUNDS: Final = 2_000_000  # OpenSSL's and ACM's default is 2,048; today's advice is 600,000
_MAX_NUMBERS: Final = 16
_FOREIGN: Final = "is of a kind that TLS servers do not use"


@dataclass(frozen=True, slots=True)
class KeyKind:
    """What kind of public key it is.

    Attributes:
        name: in ACM's words, e.g. ``RSA_2048``, ``EC_prime256v1``; in the same style for what ACM
            does not take, e.g. ``RSA_PSS_2048``, ``DSA_2048``, ``ED25519``.
        bits: the size; for elliptic curves that of the field.
        exponent_bits: the length of an RSA key's public exponent.
        identity: equal for two encodings of the same key.
    """

    name: str
    bits: int
    exponent_bits: int | None
    identity: str

    @property
    def effort(self) -> int:
        """About how long one check of a signature takes, in units of 40 microseconds.

        Measured with OpenSSL 3.5; what counts is that a hostile key cannot look cheap.
        """
        if self.name.startswith("RSA"):
            exponent = max(self.exponent_bits or 0, 17)
            return 1 + self.bits**2 * exponent // (17 * 1024**2 * 8)
        if self.name.startswith("DSA"):
            return 1 + self.bits**2 * 11 // (5 * 1024**2)
        if self.name in ("EC_secp384r1", "EC_secp521r1"):
            return 17
        return 6 if self.name in ("EC_prime256v1", "ED25519", "ED448") else self.bits // 18


def key_kind(spki: bytes) -> tuple[KeyKind | None, str]:
    """Return the kind of a SubjectPublicKeyInfo in DER, or ``None`` and why it is unknown."""
    algorithm = _algorithm(spki)
    if algorithm not in _LOADED:
        return None, _FOREIGN
    key, why = guarded(lambda: load_der_public_key(spki))
    if key is None:
        return None, why_not_read(spki, why)
    return _kind_of(key, pss=algorithm == _RSASSA_PSS)


def _kind_of(key: object, *, pss: bool) -> tuple[KeyKind | None, str]:
    match key:
        case rsa.RSAPublicKey():
            exponent = key.public_numbers().e.bit_length()
            name = f"RSA_PSS_{key.key_size}" if pss else f"RSA_{key.key_size}"
            return KeyKind(name, key.key_size, exponent, _identity(key)), ""
        case ec.EllipticCurvePublicKey():
            curve = _CURVE_NAMES.get(key.curve.name, key.curve.name)
            return KeyKind(f"EC_{curve}", key.curve.key_size, None, _identity(key)), ""
        case dsa.DSAPublicKey():
            return KeyKind(f"DSA_{key.key_size}", key.key_size, None, _identity(key)), ""
        case ed25519.Ed25519PublicKey():
            return KeyKind("ED25519", 256, None, _identity(key)), ""
        case ed448.Ed448PublicKey():
            return KeyKind("ED448", 456, None, _identity(key)), ""
        case _:
            return None, _FOREIGN


def _identity(
    key: rsa.RSAPublicKey
    | ec.EllipticCurvePublicKey
    | dsa.DSAPublicKey
    | ed25519.Ed25519PublicKey
    | ed448.Ed448PublicKey,
) -> str:
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def _algorithm(der: bytes, *, at: int = 0) -> str | None:
    """Return the algorithm of a SubjectPublicKeyInfo; in PKCS#8 it is the second field."""
    try:
        fields = list(asn1.element(der).expect(asn1.SEQUENCE).children())
        return asn1.oid(next(fields[at].expect(asn1.SEQUENCE).children()))
    except (DerError, IndexError, StopIteration):
        return None


class PrivateKey:
    """A private key that shows itself to nobody: not in ``repr``, not in a pickle, not in a copy.

    Only :meth:`pem` gives it out, for ACM's ImportCertificate and for nothing else.
    """

    __slots__ = ("_pem", "kind")

    kind: KeyKind

    def __init__(self, pem: bytes, kind: KeyKind) -> None:
        self._pem = pem
        self.kind = kind

    def pem(self) -> bytes:
        """Return the key as unencrypted PKCS#8 in PEM."""
        return self._pem

    def __repr__(self) -> str:
        return f"PrivateKey({self.kind.name})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrivateKey) and self.kind == other.kind

    def __hash__(self) -> int:
        return hash(self.kind)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not written down")


@dataclass(frozen=True, slots=True)
class KeyProblem:
    """Why a private key cannot be used; ``seen`` follows "the private key"."""

    cause: Cause
    seen: str


def load_private_key(der: bytes) -> PrivateKey | KeyProblem:
    """Read an unencrypted PKCS#8, PKCS#1 or SEC1 key, or say why that is not possible.

    That the parts of the key belong together is checked with arithmetic alone: testing primes, as
    OpenSSL does, can take seconds for a large key. Kinds and sizes that nobody serves TLS with are
    not even loaded: deriving the public part of some takes minutes.
    """
    algorithm = _algorithm(der, at=1)
    if algorithm is not None and algorithm not in _LOADED:
        return KeyProblem(Cause.KEY_UNSUPPORTED, _FOREIGN)
    if len(der) > (_MAX_DSA_KEY if algorithm == _DSA else _MAX_KEY):
        return KeyProblem(Cause.KEY_UNSUPPORTED, f"is larger than is sensible: {len(der)} bytes")
    loaded, why = guarded(
        lambda: load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    )
    if loaded is None:
        return _unreadable(der, why)
    read, why = guarded(lambda: _kind_of(loaded.public_key(), pss=algorithm == _RSASSA_PSS))
    kind, why = read or (None, why)
    if kind is None:
        return KeyProblem(Cause.KEY_UNSUPPORTED, why)
    if kind.bits > _MAX_BITS:
        return KeyProblem(
            Cause.KEY_UNSUPPORTED, f"has {kind.bits} bits; at most {_MAX_BITS} are read"
        )
    sound, why = guarded(lambda: _sound(loaded))
    if not sound:
        return KeyProblem(Cause.PEM_DAMAGED, why or "is damaged: its parts do not belong together")
    pem, why = guarded(
        lambda: loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return KeyProblem(Cause.KEY_UNSUPPORTED, why) if pem is None else PrivateKey(pem, kind)


def open_private_key(pem: bytes, passphrase: bytes) -> bytes | None:
    """Return an encrypted key as unencrypted PKCS#8 in PEM; ``None`` when it does not open.

    A key that asks for more work than ``_MAX_ROUNDS`` of PBKDF2 is not opened: whoever writes a
    secret must not keep us busy.
    """
    from certifier.certificate.pem import read_pem  # noqa: PLC0415 - which reads no keys

    for block in read_pem(pem).blocks:
        if block.label == "ENCRYPTED PRIVATE KEY" and not _quick(block.der):
            return None
    loaded, _why = guarded(
        lambda: load_pem_private_key(pem, password=passphrase, unsafe_skip_rsa_key_validation=True)
    )
    if loaded is None:
        return None
    opened, _why = guarded(
        lambda: loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return opened


def _quick(der: bytes) -> bool:
    """Whether the numbers of an encrypted key (RFC 8018, scrypt's RFC 7914) promise little work."""
    numbers: list[int] = []
    try:
        algorithm = next(asn1.element(der).expect(asn1.SEQUENCE).children())
        waiting = [algorithm.raw]
        while waiting and len(numbers) < _MAX_NUMBERS:
            for child in asn1.element(waiting.pop()).children():
                if child.tag == asn1.INTEGER:
                    numbers.append(asn1.integer(child))
                elif child.tag == asn1.SEQUENCE:
                    waiting.append(child.raw)
    except (DerError, StopIteration):
        return False
    return not waiting and all(0 < number <= _MAX_ROUNDS for number in numbers)


def _unreadable(der: bytes, why: str) -> KeyProblem:
    held = identify(der)
    if held == DER_ENCRYPTED_KEY:
        return KeyProblem(Cause.KEY_ENCRYPTED, "is encrypted; supply it decrypted")
    if held == DER_KEY:
        return KeyProblem(Cause.KEY_UNSUPPORTED, why_not_read(der, why))
    return KeyProblem(Cause.PEM_DAMAGED, why)


def _sound(key: object) -> bool:
    match key:
        case rsa.RSAPrivateKey():
            own = key.private_numbers()
            n, e = own.public_numbers.n, own.public_numbers.e
            return (
                own.p * own.q == n
                and e * own.d % (own.p - 1) == 1
                and e * own.d % (own.q - 1) == 1
                and own.dmp1 == own.d % (own.p - 1)
                and own.dmq1 == own.d % (own.q - 1)
                and own.iqmp * own.q % own.p == 1
            )
        case ec.EllipticCurvePrivateKey():
            secret = key.private_numbers().private_value
            derived = ec.derive_private_key(secret, key.curve).public_key()
            return _identity(derived) == _identity(key.public_key())
        case _:
            return True  # DSA, Ed25519, Ed448: the public key is derived on loading, or not used
