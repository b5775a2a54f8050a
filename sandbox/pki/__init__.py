"""Public key infrastructures of every shape, for tests, the demo and the scenarios.

    root = Authority.root("Example root")
    issuing = root.intermediate("Example issuing CA")
    leaf = issuing.issue(dns=["orders.db.example.com"])
    leaf.fullchain_pem, leaf.key_pem        # what PostgreSQL serves
    root.certificate_pem                    # what a client trusts

Everything can be wrong on purpose: dates, names (also raw bytes), extensions, version 1, hash, key
kind, and authorities that share a name but not a key. Nothing here checks that a shape makes sense.

Dates come from the caller, or else from the issuer: what an authority signs begins when the
authority does. The machine's clock is read only for a certificate that signs itself and was given
no `not_before`; a test with a "now" of its own gives that one, and all below it follows.

RSA keys are made once per process for each kind and holder, since one takes up to a second;
elliptic keys are always new. `fresh=True` makes a new RSA key too.
"""

from sandbox.pki.authority import Authority
from sandbox.pki.der import public_key_der
from sandbox.pki.extensions import CLIENT_AUTH, SERVER_AUTH, BasicConstraints
from sandbox.pki.files import bundle, without_seconds
from sandbox.pki.keys import Key, PrivateKey
from sandbox.pki.leaf import Leaf, self_signed

__all__ = [
    "CLIENT_AUTH",
    "SERVER_AUTH",
    "Authority",
    "BasicConstraints",
    "Key",
    "Leaf",
    "PrivateKey",
    "bundle",
    "public_key_der",
    "self_signed",
    "without_seconds",
]
