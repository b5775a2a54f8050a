"""Certificates as files hold them: several in one, and with dates that break the rules."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding

from sandbox.pki.authority import Authority
from sandbox.pki.der import SEQUENCE, VERSION, children, content_of, pem, tlv
from sandbox.pki.leaf import Leaf


def bundle(*authorities: Authority | Leaf) -> bytes:
    """The certificates one after another in PEM, as a trust file holds them."""
    return b"".join(a.certificate_pem for a in authorities)


def without_seconds(holder: Authority | Leaf) -> bytes:
    """The certificate in PEM with dates that have no seconds; its signature no longer fits."""
    tbs, *rest = children(content_of(holder.certificate.public_bytes(Encoding.DER)))
    parts = children(content_of(tbs))
    at = 4 if parts[0][0] == VERSION else 3
    dates = [tlv(date[0], content_of(date)[:-3] + b"Z") for date in children(content_of(parts[at]))]
    parts[at] = tlv(SEQUENCE, b"".join(dates))
    tbs = tlv(SEQUENCE, b"".join(parts))
    return pem("CERTIFICATE", tlv(SEQUENCE, tbs + b"".join(rest)))
