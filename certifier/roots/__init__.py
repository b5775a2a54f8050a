"""The roots that stand behind a word: certifi's, those of RDS in this package, and AWS's own.

``rds-g1-roots.pem`` says in its first lines where it comes from; ``make trust`` writes it anew
(``python -m certifier.roots``). What is trusted by which word is decided in
``certifier.certificate.trust_sets``; here the certificates are read, and fetched where the data
lacks a Region.

Loaded when first asked for: most Lambdas know no root.
"""

from typing import TYPE_CHECKING

from certifier.lazy import lazily
from certifier.roots.problem import TrustStoreUnreachable

if TYPE_CHECKING:
    from certifier.roots.fetch import bundle_url, fetch_rds_bundle, verifying_context
    from certifier.roots.known import RDS_FILE, Fetch, Roots
else:
    __getattr__ = lazily(
        __name__,
        {
            "fetch": ("bundle_url", "fetch_rds_bundle", "verifying_context"),
            "known": ("RDS_FILE", "Fetch", "Roots"),
        },
    )

__all__ = [
    "RDS_FILE",
    "Fetch",
    "Roots",
    "TrustStoreUnreachable",
    "bundle_url",
    "fetch_rds_bundle",
    "verifying_context",
]
