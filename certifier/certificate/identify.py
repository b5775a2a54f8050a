"""Saying by name what was handed over in place of PEM, and how to turn it into PEM."""

import base64
import re
from collections.abc import Mapping
from typing import Final

from certifier.certificate import asn1
from certifier.certificate.asn1 import DerError, Element

_HEAD: Final = 4096
_FAR: Final = 65_536  # manifests have the data of a secret somewhere inside
_BASE64_BEGIN: Final = b"LS0tLS1CRUdJTi"  # five dashes, BEGIN, a space
_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_PASSWORD_SCHEMES: Final = ("1.2.840.113549.1.5.", "1.2.840.113549.1.12.1.")

EMPTY: Final = "empty"
DER_CERTIFICATE: Final = (
    "a certificate in DER, which is binary; `openssl x509 -inform der -in FILE` writes it as PEM"
)
PKCS12: Final = (
    "a PKCS#12 file (.p12, .pfx); `openssl pkcs12 -in FILE -nodes` writes its parts as PEM"
)
PKCS7: Final = (
    "a PKCS#7 file (.p7b); `openssl pkcs7 -print_certs -in FILE` writes its certificates as PEM"
)
DER_KEY: Final = (
    "a private key in DER, which is binary; `openssl pkey -inform der -in FILE` writes it as PEM"
)
DER_ENCRYPTED_KEY: Final = "an encrypted private key in DER; supply it decrypted, as PEM"
DER_REQUEST: Final = (
    "a certificate signing request in DER; what is needed is what the CA made of it"
)
DER_PUBLIC_KEY: Final = "a public key in DER; what is needed is a certificate"
DER_CRL: Final = "a certificate revocation list in DER; what is needed is a certificate"
BASE64_OF_PEM: Final = "the base64 of PEM, as Kubernetes shows the data of a secret; decode it once"
BASE64_OF_DER: Final = (
    "base64 without its BEGIN and END lines; `openssl base64 -d -A` and then"
    " `openssl x509 -inform der` write it as PEM"
)

_FROM_JAVA: Final = "`keytool -exportcert -rfc` writes a certificate of it as PEM"
_MAGIC: Final[Mapping[bytes, str]] = {
    b"\xfe\xed\xfe\xed": f"a Java key store (JKS); {_FROM_JAVA}",
    b"\xce\xce\xce\xce": f"a Java key store (JCEKS); {_FROM_JAVA}",
    b"\x1f\x8b": "a gzip archive",
    b"PK\x03\x04": "a zip archive",
    b"%PDF": "a PDF document",
    b"PuTTY-User-Key-File": "a PuTTY key, which is for SSH",
    b"ssh-": "an SSH public key",
    b"ecdsa-sha2-": "an SSH public key",
    b"<?xml": "an XML document, perhaps an error message that was saved",
    b"<": "an HTML or XML page, perhaps an error message that was saved",
    b"{": "a JSON document",
    b"arn:": "an ARN; what is needed is what it names",
    b"s3://": "an S3 address; what is needed is what it names",
    b"/": "a path; what is needed is what the file holds",
}
_BEGIN_WORDS: Final = re.compile(
    r"(BEGIN|END)[ \u00a0]+(?:[A-Z0-9]+ )*(CERTIFICATE|PRIVATE KEY)", re.IGNORECASE
)
_BASE64_TEXT: Final = re.compile(rb"[A-Za-z0-9+/\s]+={0,2}\s*")


def identify(data: bytes) -> str:
    """Return what data without any PEM block seems to be, to follow the word "is"."""
    if not data.strip():
        return EMPTY
    if data[0] == asn1.SEQUENCE:
        named = _der(data)
        if named is not None:
            return named
    head = data.lstrip(b"\xef\xbb\xbf").lstrip()[:_HEAD]
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    if b"\0" in head:
        return "binary data of an unknown kind"
    if _BASE64_BEGIN in data[:_FAR]:
        return BASE64_OF_PEM
    if _BEGIN_WORDS.search(head.decode("utf-8", "replace")):
        return "PEM whose BEGIN and END lines are not five plain dashes, capitals, five dashes"
    return _base64(head) or "text without any PEM block"


def _base64(head: bytes) -> str | None:
    if _BASE64_TEXT.fullmatch(head) is None:
        return None
    text = b"".join(head.rstrip(b"=\n ").split())
    der = base64.b64decode(text[: len(text) // 4 * 4])
    looks_der = len(der) > 4 and der[0] == asn1.SEQUENCE and der[1] in (0x81, 0x82)
    return BASE64_OF_DER if looks_der else None


def _der(data: bytes) -> str | None:
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


def _keys_and_stores(fields: list[Element]) -> str | None:
    first, tags = fields[0], [field.tag for field in fields]
    if first.tag == asn1.OID:
        return PKCS7 if asn1.oid(first) == _SIGNED_DATA else None
    if first.tag == asn1.INTEGER:
        if tags[1:2] == [asn1.SEQUENCE]:
            return PKCS12 if asn1.integer(first) == 3 else DER_KEY
        return DER_KEY if tags[1:2] in ([asn1.INTEGER], [asn1.OCTET_STRING]) else None
    if first.tag == asn1.SEQUENCE and tags == [asn1.SEQUENCE, asn1.OCTET_STRING]:
        algorithm = asn1.oid(next(first.children(), first))
        return DER_ENCRYPTED_KEY if algorithm.startswith(_PASSWORD_SCHEMES) else None
    return DER_PUBLIC_KEY if tags == [asn1.SEQUENCE, asn1.BIT_STRING] else None


def _signed(outer: Element) -> str | None:
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
