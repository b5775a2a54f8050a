"""``python -m certifier.roots``: write the roots of RDS anew from AWS's trust store.

For the maintainer of an installation, where there is a network (``make trust``). What is in the
file already stays if AWS still publishes it; what disappears is named, and so is what is new: look
at the difference before you commit it. Whether RDS lists these roots, a run compares by itself.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from certifier.certificate import Certificate, certificates_in
from certifier.certificate.canonical import to_pem
from certifier.certificate.trust_sets import region_of_root
from certifier.roots import RDS_FILE, Fetch, TrustStoreUnreachable, bundle_url, fetch_rds_bundle

FILE = Path(__file__).parent / RDS_FILE
BUNDLES = ("global", "us-gov-west-1", "us-gov-east-1", "cn-north-1", "cn-northwest-1")


def main(file: Path = FILE, fetch: Fetch = fetch_rds_bundle) -> int:
    """Write the file; 0, or 1 when a bundle could not be fetched: then nothing is written."""
    try:
        bundles = [fetch(name) for name in BUNDLES]
    except TrustStoreUnreachable as problem:
        print(f"nothing was written: {problem}", file=sys.stderr)
        return 1
    roots = {der for bundle in bundles for der in certificates_in(bundle) if _is_root(der)}
    before = set(certificates_in(file.read_bytes())) if file.exists() else set()
    for word, ders in (("new", roots - before), ("gone", before - roots)):
        for line in sorted(_title(der) for der in ders):
            print(f"{word}: {line}")
    file.write_text("".join(_lines(roots, datetime.now(UTC))), encoding="utf-8")
    print(f"{len(roots)} roots in {file}")
    return 0


def _is_root(der: bytes) -> bool:
    certificate = Certificate(der)
    return region_of_root(certificate.subject) is not None and certificate.self_signed


def _title(der: bytes) -> str:
    certificate = Certificate(der)
    name = (certificate.subject or "").partition("CN=")[2].partition(",")[0]
    until = f"{certificate.not_after:%Y}" if certificate.not_after else "no readable date"
    return f"{name}, until {until}, SHA-256 {certificate.sha256}"


def _lines(roots: set[bytes], now: datetime) -> Iterator[str]:
    yield f"# Root certificates of RDS, fetched over verified HTTPS from AWS on {now:%Y-%m-%d}:\n"
    for name in BUNDLES:
        yield f"#   {bundle_url(name)}\n"
    for der in sorted(roots, key=_title):
        yield f"# {_title(der)}\n{to_pem(der)}"


if __name__ == "__main__":
    sys.exit(main())
