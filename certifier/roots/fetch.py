"""AWS's trust store of RDS, over verified HTTPS and within bounds: the one way out to it.

The address is made of a Region that has the form of one; nothing redirects. What comes is not
trusted for having come from there: whoever asks compares it with what RDS lists.
"""

import contextlib
import ssl
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

from certifier.roots.problem import TrustStoreUnreachable

SECONDS = 10.0
"""For all of it. The function that asks has 60."""
BYTES = 512 * 1024
"""The global bundle, the largest, has 162 KB."""
_PIECE = 16 * 1024

# RDS and Aurora user guides, "Using SSL/TLS", of each partition.
_COMMERCIAL = "https://truststore.pki.rds.amazonaws.com"
_GOVERNMENT = "https://truststore.pki.us-gov-west-1.rds.amazonaws.com"
_CHINA = "https://rds-truststore.s3.cn-north-1.amazonaws.com.cn"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def bundle_url(region: str) -> str:
    """Return where AWS publishes the bundle of a Region, or of ``global``."""
    base = _COMMERCIAL
    if region.startswith("us-gov-"):
        base = _GOVERNMENT
    elif region.startswith("cn-"):
        base = _CHINA
    return f"{base}/{region}/{region}-bundle.pem"


def verifying_context() -> ssl.SSLContext:
    """Return a context that verifies chain and name against the public roots."""
    import certifi  # noqa: PLC0415 - only who fetches needs it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(certifi.where())
    return context


def fetch_rds_bundle(
    region: str, *, url: str | None = None, context: ssl.SSLContext | None = None
) -> bytes:
    """Return the bundle of a Region as AWS publishes it.

    Args:
        url, context: where, and how to verify; a test has its own.

    Raises:
        TrustStoreUnreachable: it did not come whole within the bounds on time and size.
    """
    where = url or bundle_url(region)
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context or verifying_context()), _NoRedirects()
    )
    end = time.monotonic() + SECONDS
    try:
        with contextlib.closing(opener.open(where, timeout=SECONDS)) as answer:
            return _within_bounds(answer, end)
    except urllib.error.HTTPError as error:
        error.close()
        raise TrustStoreUnreachable(f"{where} answered {error.code}") from None
    except urllib.error.URLError as error:
        why = type(error.reason).__name__ if isinstance(error.reason, OSError) else "no connection"
        raise TrustStoreUnreachable(f"{where} cannot be reached ({why})") from None
    except (OSError, HTTPException, ValueError) as error:
        raise TrustStoreUnreachable(f"{where} cannot be read ({type(error).__name__})") from None


def _within_bounds(answer: Any, end: float) -> bytes:
    """Read to the end.

    Raises:
        TrustStoreUnreachable: it is too long, or takes too long.
    """
    body = bytearray()
    while piece := answer.read1(_PIECE):
        body += piece
        if len(body) > BYTES:
            raise TrustStoreUnreachable(f"what came is larger than {BYTES} bytes")
        if time.monotonic() > end:
            raise TrustStoreUnreachable(f"it took longer than {SECONDS:.0f} seconds")
    return bytes(body)
