"""Saying by name what was handed over in place of PEM, and the step that turns it into PEM."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from certifier.certificate import asn1
from certifier.certificate.asn1 import DerError, Element
from certifier.text import printable

_HEAD: Final = 4096
_FAR: Final = 65_536  # manifests have the data of a secret somewhere inside
_BASE64_BEGIN: Final = b"LS0tLS1CRUdJTi"  # five dashes, BEGIN, a space
_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_ENVELOPED_DATA: Final = "1.2.840.113549.1.7.3"
_PASSWORD_SCHEMES: Final = ("1.2.840.113549.1.5.", "1.2.840.113549.1.12.1.")
_SHOWN_KEYS: Final = 10
_LONGEST_NAME: Final = 40


@dataclass(frozen=True, slots=True)
class Content:
    """What some data is, and what to do with it.

    Attributes:
        what: follows the word "is" or "holds".
        step: whole sentences for a remedy.
    """

    what: str
    step: str


_SUPPLY: Final = "Supply the certificate in PEM, from BEGIN CERTIFICATE to END CERTIFICATE."
_OF_THE_CA: Final = "Supply the certificate that the CA has made of it."
EMPTY: Final = Content("empty", _SUPPLY)
DER_CERTIFICATE: Final = Content(
    "a certificate in DER, which is binary",
    "Write it as PEM: `openssl x509 -inform der -in FILE`.",
)
PKCS12: Final = Content(
    "a PKCS#12 file (.p12, .pfx)",
    "Write its parts as PEM: `openssl pkcs12 -in FILE -nodes`.",
)
PKCS7: Final = Content(
    "PKCS#7 (.p7b), which holds several certificates at once",
    "Write its certificates as PEM: `openssl pkcs7 -print_certs -in FILE` (with -inform der for a"
    " binary file). A Windows CA also offers the certificate alone, as Base 64.",
)
ENCRYPTED_CMS: Final = Content(
    "an encrypted CMS message", "Decrypt it where its key is, and supply the PEM in it."
)
DER_KEY: Final = Content(
    "a private key in DER, which is binary",
    "Write it as PEM: `openssl pkey -inform der -in FILE`.",
)
DER_ENCRYPTED_KEY: Final = Content(
    "an encrypted private key in DER",
    "Supply it decrypted, as PEM: `openssl pkey -inform der -in FILE`.",
)
DER_REQUEST: Final = Content("a certificate signing request in DER", _OF_THE_CA)
DER_PUBLIC_KEY: Final = Content(
    "a public key in DER", "Supply the certificate of this key; a public key has no names."
)
DER_CRL: Final = Content("a certificate revocation list in DER", _SUPPLY)
BASE64_OF_PEM: Final = Content(
    "the base64 of PEM, as Kubernetes shows the data of a secret",
    "Decode it once: `openssl base64 -d -A -in FILE`.",
)
BASE64_OF_DER: Final = Content(
    "base64 without its BEGIN and END lines",
    "Write it as PEM: `openssl base64 -d -A -in FILE | openssl x509 -inform der`.",
)
SSH_KEY: Final = Content(
    "a key in OpenSSH's format",
    "Rewrite it as PEM: `ssh-keygen -p -m PEM -f FILE`. Usually a key made for SSH is the wrong"
    " one: supply the key that the certificate was requested with.",
)
HTML: Final = Content(
    "an HTML page, as a browser saves it: perhaps a login, an error, or the page around a download",
    "Download the certificate itself in PEM (Base 64) instead of the page, and look into the file:"
    " it begins with BEGIN CERTIFICATE.",
)
TEXT: Final = Content("text without any PEM block", _SUPPLY)
BINARY: Final = Content("binary data of an unknown kind", _SUPPLY)
_NAMELESS: Final = frozenset({EMPTY, TEXT, BINARY})

_JAVA: Final = "Write a certificate of it as PEM: `keytool -exportcert -rfc -keystore FILE`."
_SSH: Final = "Supply the server's certificate; a key for SSH is not used in TLS."
_UNPACK: Final = "Unpack it, and supply the PEM files in it."
_NAMED: Final = "Supply what it names, not the name."
_MAGIC: Final[Mapping[bytes, Content]] = {
    b"\xfe\xed\xfe\xed": Content("a Java key store (JKS)", _JAVA),
    b"\xce\xce\xce\xce": Content("a Java key store (JCEKS)", _JAVA),
    b"\x1f\x8b": Content("a gzip archive", _UNPACK),
    b"PK\x03\x04": Content("a zip archive", _UNPACK),
    b"7z\xbc\xaf": Content("a 7z archive", _UNPACK),
    b"%PDF": Content("a PDF document", _SUPPLY),
    b"{\\rtf": Content("a document of a word processor (RTF)", _SUPPLY),
    b"bplist": Content("an Apple property list or web archive", _SUPPLY),
    b"openssh-key-v1": SSH_KEY,
    b"PuTTY-User-Key-File": Content("a PuTTY key, which is for SSH", _SSH),
    b"ssh-": Content("an SSH public key", _SSH),
    b"ecdsa-sha2-": Content("an SSH public key", _SSH),
    b"---- BEGIN SSH2": Content("an SSH public key", _SSH),
    b"<?xml": Content("an XML document, perhaps an error message that was saved", HTML.step),
    b"<": Content("an HTML or XML page, perhaps an error message that was saved", HTML.step),
    b"From: <Saved by": Content("an HTML page in a web archive (MHTML)", HTML.step),
    b"MIME-Version:": Content("a mail or a web archive (MHTML)", HTML.step),
    b"HTTP/1.": Content("the answer of a web server, with its headers", HTML.step),
    b"Certificate:\n": Content(
        "what `openssl x509 -text` prints, without the certificate itself",
        "Print it again without -noout, or supply the file that it was made from.",
    ),
    b"arn:": Content("an ARN", _NAMED),
    b"s3://": Content("an S3 address", _NAMED),
    b"file://": Content("the address of a file", _NAMED),
    b"/": Content("a path", _NAMED),
}
_HTML_WORDS: Final = re.compile(
    rb"<(?:!doctype|/?(?:html|head|body|br|p|pre|div|span|td|textarea|code))\b|&(?:#\d+|[a-z]+);",
    re.IGNORECASE,
)
_BEGIN_WORDS: Final = re.compile(
    r"(BEGIN|END)[ \u00a0]+(?:[A-Z0-9]+ )*(CERTIFICATE|PRIVATE KEY)", re.IGNORECASE
)
_BASE64_TEXT: Final = re.compile(rb"[A-Za-z0-9+/\s]+={0,2}\s*")


def identify(data: bytes) -> Content:
    """Return what data without any PEM block seems to be. Never raises."""
    return _identify(data, wrapped=False)


def named(data: bytes) -> Content | None:
    """Return what data is, when that has a name of its own."""
    content = identify(data)
    return None if content in _NAMELESS else content


def is_html(text: bytes) -> bool:
    """Whether marks or entities of HTML are in a text."""
    return _HTML_WORDS.search(text) is not None


def _identify(data: bytes, *, wrapped: bool) -> Content:
    """``wrapped``: the data came out of base64, and is not looked for base64 again."""
    if not data.strip():
        return EMPTY
    if data[0] == asn1.SEQUENCE:
        der = _der(data)
        if der is not None:
            return der
    head = data.lstrip(b"\xef\xbb\xbf").lstrip()[:_HEAD]
    for magic, content in _MAGIC.items():
        if head.startswith(magic):
            return HTML if magic == b"<" and is_html(head) else content
    if b"\0" in head:
        return BINARY
    if head[:1] in (b"{", b"["):
        return _json(data)
    if _BASE64_BEGIN in data[:_FAR]:
        return BASE64_OF_PEM
    if _BEGIN_WORDS.search(head.decode("utf-8", "replace")):
        return Content(
            "PEM whose BEGIN and END lines are not five plain dashes, capitals, five dashes",
            "Write these lines anew, or take the file as it was before a word processor or a chat"
            " changed its dashes.",
        )
    return TEXT if wrapped else _base64(data) or TEXT


def _json(data: bytes) -> Content:
    """A JSON document by its keys, or where it cannot be read. No value is named."""
    try:
        document = json.loads(data)
    except json.JSONDecodeError as error:
        return Content(
            f"a JSON document that cannot be read: line {error.lineno}, column {error.colno}",
            "Correct it there; a line break inside of a value is written as \\n.",
        )
    except (ValueError, RecursionError):
        return Content("a JSON document that cannot be read", _SUPPLY)
    if not isinstance(document, dict):
        return Content("a JSON document without keys", _SUPPLY)
    return Content(
        f"a JSON document with the keys {listed(document)}",
        "Supply the value of one key, as PEM with real line ends.",
    )


def listed(keys: Mapping[str, object]) -> str:
    """Name the first keys of an object. Their values are not looked at.

    Who swaps a key and its value has a secret for a name, so a long one is not shown, nor a part.
    """
    names = [_name(str(key)) for key in list(keys)[:_SHOWN_KEYS]]
    more = len(keys) - len(names)
    return (", ".join(names) or "none") + (f", and {more} more" if more > 0 else "")


def _name(key: str) -> str:
    return printable(key) if len(key) <= _LONGEST_NAME else f"one of {len(key):,} characters"


def _base64(data: bytes) -> Content | None:
    if _BASE64_TEXT.fullmatch(data) is None:
        return None
    text = b"".join(data.split()).rstrip(b"=")
    whole = text[:-1] if len(text) % 4 == 1 else text
    inner = _identify(base64.b64decode(whole + b"=" * (-len(whole) % 4)), wrapped=True)
    if inner == DER_CERTIFICATE:
        return BASE64_OF_DER
    if inner in _NAMELESS:
        looks_der = text.startswith((b"MII", b"MIG", b"MIH"))
        return BASE64_OF_DER if looks_der else None
    return Content(
        f"the base64 of {inner.what}", f"Decode it: `openssl base64 -d -A -in FILE`. {inner.step}"
    )


def _der(data: bytes) -> Content | None:
    """Tell DER structures apart by their fields (RFC 5280, 5208, 5652, 5915, 7292, 8017)."""
    try:
        outer = asn1.element(data)
        fields = _first_fields(outer)
        if not fields:
            return None
        return _keys_and_stores(fields) or _signed(outer)
    except DerError:
        return None


def _first_fields(outer: Element) -> list[Element]:
    fields = []
    for field in outer.children():
        fields.append(field)
        if len(fields) == 9:
            break
    return fields


def _keys_and_stores(fields: list[Element]) -> Content | None:
    first, tags = fields[0], [field.tag for field in fields]
    if first.tag == asn1.OID:
        return {_SIGNED_DATA: PKCS7, _ENVELOPED_DATA: ENCRYPTED_CMS}.get(asn1.oid(first))
    if first.tag == asn1.INTEGER:
        if tags[1:2] == [asn1.SEQUENCE]:
            return PKCS12 if asn1.integer(first) == 3 else DER_KEY
        return DER_KEY if tags[1:2] in ([asn1.INTEGER], [asn1.OCTET_STRING]) else None
    if first.tag == asn1.SEQUENCE and tags == [asn1.SEQUENCE, asn1.OCTET_STRING]:
        algorithm = asn1.oid(next(first.children(), first))
        return DER_ENCRYPTED_KEY if algorithm.startswith(_PASSWORD_SCHEMES) else None
    return DER_PUBLIC_KEY if tags == [asn1.SEQUENCE, asn1.BIT_STRING] else None


def _signed(outer: Element) -> Content | None:
    """Certificate, request and revocation list: the thing, an algorithm, a signature."""
    fields = list(outer.children())
    if [field.tag for field in fields] != [asn1.SEQUENCE, asn1.SEQUENCE, asn1.BIT_STRING]:
        return None
    inner = [field.tag for field in fields[0].children()]
    if inner[:1] == [0xA0]:
        return DER_CERTIFICATE
    if inner[-1:] == [0xA0]:
        return DER_REQUEST
    if len(inner) >= 6 and inner[0] == asn1.INTEGER and inner[3] == asn1.SEQUENCE:
        return DER_CERTIFICATE  # version 1
    return DER_CRL
