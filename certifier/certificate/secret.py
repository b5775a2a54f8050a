"""How people keep a pair and its CA in a secret: under which names, in which shapes.

Understood are our own names, those of cert-manager, PostgreSQL, certbot, Vault's PKI (also below
``data``), an ACM export with its passphrase, what kubectl and External Secrets write (objects
inside, values in base64), any name that ends in pem, and plain PEM instead of JSON. What is not
understood is named by its keys; no value enters a sentence.

Everything is bounded: how deep objects are looked into, how often base64 is undone, and by
``read_pem`` how much of a text is read.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from certifier.certificate.identify import identify, listed
from certifier.diagnosis import finding
from certifier.json_keys import KeyTwiceError, each_key_once
from certifier.models import Finding
from certifier.text import printable, quoted
from certifier.vocabulary import Cause, Witness

SECRET_KEYS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        # ours, then cert-manager's, PostgreSQL's, certbot's
        "certificate": ("certificate", "tls.crt", "server.crt", "fullchain.pem", "cert.pem"),
        "private_key": ("private_key", "tls.key", "server.key", "privkey.pem"),
        "chain": ("chain", "chain.pem"),
        "ca": ("ca", "ca.crt", "root.crt"),
    }
)
"""For each part, the keys to name to people; :data:`_ALSO` has the others that are understood."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# without case and marks, and without "pem" or "base64" at the end
_ALSO: Final[Mapping[str, tuple[str, ...]]] = {
    "certificate": _words(
        "certificate cert crt tlscrt tlscert tlscertificate servercrt servercert servercertificate"
        " fullchain certificatebody certbody leaf leafcertificate publiccert publiccertificate"
        " sslcert sslcrt sslcertificate x509certificate certfile certificatefile"
    ),
    "private_key": _words(
        "privatekey key tlskey serverkey privkey sslkey tlsprivatekey serverprivatekey"
        " certificateprivatekey certificatekey certkey rsaprivatekey keyfile privatekeyfile"
    ),
    "chain": _words(
        "chain certificatechain certchain cachain issuingca intermediate intermediates"
        " intermediateca intermediatecert intermediatecertificate intermediatecertificates"
        " issuercertificate chaincrt tlschain sslchain chainfile"
    ),
    "ca": _words(
        "ca cacrt cacert cacertificate cacertificates cabundle cabundlecrt cafile rootcrt root"
        " rootca rootcert rootcertificate trustbundle trustedca tlsca tlscacrt sslca sslrootcert"
        " serverca certificateauthority"
    ),
    # all of them in one text
    "pem": _words("pem serverpem tlspem combined bundle pembundle certificateandkey plaintext"),
    "passphrase": _words(
        "passphrase privatekeypassphrase keypassphrase keypassword privatekeypassword sslpassword"
    ),
}
_PARTS: Final = {name: part for part, names in _ALSO.items() for name in names}
# chains of these may hold the root, and their shape has no other place for it
_WITH_ROOT: Final = frozenset({"cachain", "issuingca", "certificatechain"})
_INCLUDES: Final = {"cert.pem": "fullchain.pem"}  # certbot writes both; the second holds the first
_WRAPPERS: Final = frozenset(
    _words(
        "data stringdata secretstring secret value values tls ssl pki pair certificate cert"
        " response result body auth"
    )
)
_DEEPEST: Final = 4
_WIDEST: Final = 32  # objects that are looked into
_PEM: Final = "-----BEGIN "
_SEGMENT: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,64})-----[^-]{0,131072}-----END \1-----")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")

PLAIN: Final = "plaintext"
"""The key under which :func:`parse_secret` returns a secret that is PEM instead of JSON."""


@dataclass(frozen=True)
class NotASecret:
    """Why the text of a secret cannot be read; ``seen`` follows "what the secret holds"."""

    cause: Cause
    seen: str


def parse_secret(text: str | bytes) -> dict[str, object] | NotASecret:
    """Read a secret's text: a JSON object, or PEM. Never raises, and repeats nothing of the text.

    A key that stands in one object twice, with different values, is ``secret_ambiguous``.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        value = json.loads(data, object_pairs_hook=each_key_once)
    except KeyTwiceError as twice:
        return NotASecret(
            Cause.SECRET_AMBIGUOUS,
            f"has the key {quoted(twice.key, 40)} twice, with different values",
        )
    except json.JSONDecodeError as error:
        plain = _plain(data)
        if plain is not None:
            return {PLAIN: plain}
        if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
            return NotASecret(
                Cause.SECRET_INCOMPLETE,
                f"cannot be read as JSON: line {error.lineno}, column {error.colno}",
            )
        return NotASecret(
            Cause.SECRET_INCOMPLETE,
            f"is not JSON: it begins with something else in line {error.lineno}, column"
            f" {error.colno}; it is {identify(data).what}",
        )
    except UnicodeDecodeError:
        return NotASecret(Cause.SECRET_INCOMPLETE, f"is not JSON: it is {identify(data).what}")
    except (ValueError, RecursionError):
        return NotASecret(Cause.SECRET_INCOMPLETE, "is not JSON that can be read")
    match value:
        case dict():
            return value
        case str() if _PEM in (whole := _unwrapped(value)):
            return {PLAIN: whole}
        case list() if (joined := _text(value)) is not None and _PEM in joined:
            return {PLAIN: joined}
        case _:
            return NotASecret(
                Cause.SECRET_INCOMPLETE, "is JSON, but not an object of keys and values"
            )


def _plain(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    whole = _unwrapped(text)
    return whole if _PEM in whole and not text.lstrip().startswith(("{", "[", '"')) else None


@dataclass(frozen=True)
class SecretParts:
    """What a secret holds of a pair. None of it is part of ``repr``: a key may stand in any place.

    Attributes:
        certificate, private_key, chain, ca: as they are, unread; ``None`` when no key names them.
        keys: the names of the keys that the secret has, for a sentence.
        findings: keys whose value is not text, and what is given twice.
    """

    certificate: bytes | None = field(default=None, repr=False)
    private_key: bytes | None = field(default=None, repr=False)
    chain: bytes | None = field(default=None, repr=False)
    ca: bytes | None = field(default=None, repr=False)
    keys: str = field(default="", repr=False)
    findings: tuple[Finding, ...] = ()

    def missing(self, secret: str) -> tuple[Finding, ...]:
        """Return what is missing to be a pair, with the keys that would be understood.

        ``secret`` is the secret's name or ARN.
        """
        return tuple(
            self._missing(secret, part)
            for part, value in (
                ("certificate", self.certificate),
                ("private_key", self.private_key),
            )
            if value is None
        )

    def missing_ca(self, secret: str) -> Finding:
        """Return that there is no CA in it."""
        return self._missing(secret, "ca")

    def _missing(self, secret: str, part: str) -> Finding:
        what = {"ca": "CA certificate"}.get(part, part.replace("_", " "))
        names = ", ".join(SECRET_KEYS[part])
        held = f"; the keys in it: {self.keys}" if self.keys else ""
        return finding(
            Cause.SECRET_INCOMPLETE,
            place=Witness.INTAKE,
            seen=f"the secret {secret} has no {what}; keys that are understood: {names}{held}",
            remedy=f"Put the {what} into the secret, in PEM, under one of these keys: {names}.",
        )


def material_from_secret(secret: Mapping[str, object]) -> SecretParts:
    """Find certificate, private key, chain and CA in a secret, under any usual name and shape.

    A part under several names in one object is all of them together: which of two certificates or
    keys is meant is for the intake to tell. The same part in two objects, with different values, is
    ``secret_ambiguous``. Chain and CA that are empty count as not given. Never raises.
    """
    found: dict[str, dict[str, list[str]]] = {}  # part, object, texts
    rooted: list[str] = []
    findings: list[Finding] = []
    for path, layer in _layers(secret):
        for name in (*(n for names in SECRET_KEYS.values() for n in names if n in layer), *layer):
            part, plain_name = _part_of(name)
            value = layer[name]
            if part is None or value is None or _INCLUDES.get(name) in layer:
                continue
            text = _text(value)
            if text is None:
                if not _is_wrapper(name, value):
                    findings.append(_no_text(name))
                continue
            texts = found.setdefault(part, {}).setdefault(path, [])
            if text not in texts:
                texts.append(text)
            if plain_name in _WITH_ROOT:
                rooted.append(text)
    parts: dict[str, str] = {}
    for part, by_layer in found.items():
        joined = {path: "\n".join(texts) for path, texts in by_layer.items()}
        if len({" ".join(text.split()) for text in joined.values()}) > 1:
            findings.append(_twice(part, joined))
        parts[part] = next(iter(joined.values()))
    _split(parts, rooted)
    _decrypt(parts, findings)
    given = {
        part: text.encode("utf-8", "surrogatepass")
        for part in SECRET_KEYS
        if (text := parts.get(part)) is not None
        and (text.strip() or part in ("certificate", "private_key"))
    }
    return SecretParts(
        **given,
        keys="" if PLAIN in secret else listed(_innermost(secret)),
        findings=tuple(dict.fromkeys(findings)),
    )


def _no_text(name: str) -> Finding:
    return finding(
        Cause.SECRET_INCOMPLETE,
        place=Witness.INTAKE,
        seen=f"the value of {printable(name, 40)} in the secret is not text; it must be PEM",
        remedy="Put PEM there, as text.",
    )


def _twice(part: str, joined: Mapping[str, str]) -> Finding:
    places = " and ".join(path or "the top" for path in joined)
    return finding(
        Cause.SECRET_AMBIGUOUS,
        place=Witness.INTAKE,
        seen=f"the {part.replace('_', ' ')} stands in the secret at {places}, with different"
        " values; nothing tells which one is meant",
    )


def _part_of(name: str) -> tuple[str | None, str]:
    """The part that a key holds, and the key without case, marks and the name of its format."""
    plain = re.sub(r"[^a-z0-9]", "", name[:64].lower())
    for _ in range(2):
        part = _PARTS.get(plain)
        if part is not None:
            return part, plain
        plain = re.sub(r"(?:pem|base64|b64|decoded)$", "", plain)
    return None, plain


# ---- objects inside of objects


def _layers(secret: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The secret, and the objects inside of it under names that tools wrap them with."""
    waiting: list[tuple[str, Mapping[str, Any], int]] = [("", secret, 0)]
    for path, layer, depth in waiting:
        yield path, layer
        for name, value in layer.items():
            inner = _object(name, value)
            if inner is not None and depth < _DEEPEST and len(waiting) < _WIDEST:
                where = printable(f"{path}.{name}" if path else str(name), 80)
                waiting.append((where, inner, depth + 1))


def _object(name: str, value: object) -> Mapping[str, Any] | None:
    if not _is_wrapper(name, value):
        return None
    if isinstance(value, str):
        parsed = parse_secret(value)
        return None if isinstance(parsed, NotASecret) or PLAIN in parsed else parsed
    return value if isinstance(value, Mapping) else None


def _is_wrapper(name: str, value: object) -> bool:
    known = re.sub(r"[^a-z0-9]", "", str(name)[:64].lower()) in _WRAPPERS
    return known and (
        isinstance(value, Mapping) or (isinstance(value, str) and value.lstrip()[:1] == "{")
    )


def _innermost(secret: Mapping[str, object]) -> Mapping[str, object]:
    """The object whose keys tell most: the last one, where the outer ones only wrap it."""
    layers = [layer for _path, layer in _layers(secret)]
    return layers[-1] if len(layers) > 1 else secret


# ---- values


def _text(value: object) -> str | None:
    """The text of a value: as it is, decoded, or a list of texts joined; ``None`` for others."""
    if isinstance(value, str):
        return _unwrapped(value)
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return "\n".join(_unwrapped(one) for one in value)
    return None


def _unwrapped(text: str) -> str:
    """The text with base64 around PEM undone, at most twice."""
    for _ in range(2):
        compact = "".join(text.split())
        if _PEM in text or len(compact) % 4 or _BASE64.fullmatch(compact) is None:
            return text
        try:
            inner = base64.b64decode(compact, validate=True).decode("utf-8-sig")
        except ValueError:
            return text
        if _PEM not in inner and not inner.startswith("LS0t"):
            return text
        text = inner
    return text


def _split(parts: dict[str, str], rooted: Iterable[str]) -> None:
    """Give each part what stands in the place of another: all in one text, a root in the chain."""
    whole = parts.pop("pem", None)
    if whole is not None:
        certificates, keys = _segments(whole)
        if keys or "certificate" in parts or "private_key" in parts:
            parts.setdefault("certificate", certificates or whole)
            rooted = (*rooted, certificates)
        else:  # a bundle, or a certificate whose key is missing
            parts.setdefault("certificate", whole)
            parts.setdefault("ca", whole)
        if keys:
            parts.setdefault("private_key", keys)
    if "private_key" not in parts and "PRIVATE KEY-----" in parts.get("certificate", ""):
        keys = _segments(parts["certificate"])[1]
        if keys:
            parts["private_key"] = keys
    if not parts.get("ca", "").strip():
        roots = "\n".join(dict.fromkeys(pem for text in rooted for pem in _roots(text)))
        if roots:
            parts["ca"] = roots


def _segments(text: str) -> tuple[str, str]:
    """The certificates and the private keys of a text, each as PEM."""
    certificates, keys = [], []
    for segment in _SEGMENT.finditer(text.replace("\\n", "\n")):
        if segment[1].endswith("PRIVATE KEY"):
            keys.append(segment[0])
        elif segment[1].endswith("CERTIFICATE"):
            certificates.append(segment[0])
    return "\n".join(certificates), "\n".join(keys)


def _roots(text: str) -> Iterator[str]:
    """The CAs of a text that signed themselves, as PEM."""
    # only now is ``cryptography`` loaded: a secret in our own shape needs none of it
    from certifier.certificate.canonical import to_pem  # noqa: PLC0415
    from certifier.certificate.chain import Graph  # noqa: PLC0415
    from certifier.certificate.field import read_field  # noqa: PLC0415

    certificates = read_field("chain", text.encode("utf-8", "replace"), Witness.INTAKE).certificates
    graph = Graph(certificates)
    yield from (to_pem(one.der) for one in certificates if one.is_ca and graph.self_signed(one))


def _decrypt(parts: dict[str, str], findings: list[Finding]) -> None:
    """Open an encrypted key with the passphrase that stands beside it, as in an ACM export."""
    phrase, key = parts.pop("passphrase", None), parts.get("private_key")
    if not phrase or key is None or "ENCRYPTED" not in key:
        return
    from certifier.certificate.keys import open_private_key  # noqa: PLC0415

    opened = open_private_key(key.encode("utf-8", "replace"), phrase.strip("\r\n").encode())
    if opened is None:
        findings.append(
            finding(
                Cause.KEY_ENCRYPTED,
                place=Witness.INTAKE,
                seen="the passphrase in the secret does not open the private key in it",
                remedy="Put the passphrase of this key into the secret, or the key decrypted.",
            )
        )
    else:
        parts["private_key"] = opened.decode("ascii")
