"""A probe's document may hold the CAs of others, and none of its own."""

from functools import cache

import pytest

from certifier.certificate import union
from certifier.run.documents import Material, Probed, Trusted
from certifier.run.foreign_trust import trust_not_named
from certifier.vocabulary import Cause
from sandbox.pki import Authority


@cache
def ca(name: str) -> str:
    """The PEM of a CA."""
    return Authority.root(name).certificate_pem.decode()


def read(*, public: bool = False) -> Material:
    """What Read material has found: a bundle, and another CA on the endpoint."""
    return Material(
        bundle_pem=None if public else ca("new"),
        trusted=Trusted(arn="arn:old", digest="x", pem=ca("old")),
        public=public,
    )


@pytest.mark.parametrize(
    ("names", "foreign"),
    [
        ((), False),
        (("new", "old"), False),
        (("new", "old", "dropped"), False),
        (("new", "attacker"), True),
        (("new", "a public root"), True),
    ],
)
def test_a_union_is_of_what_was_named(names: tuple[str, ...], *, foreign: bool) -> None:
    """By the bundle, by the endpoint, or by what was dropped from it lately."""
    probed = Probed(union_pem=union(*map(ca, names)) if names else None)
    found = trust_not_named(probed, read(), dropped=[ca("dropped")], public=None)
    assert (found is not None) is foreign
    if found is not None:
        assert found.cause is Cause.ANCHOR_NOT_NAMED
        assert names[-1] in found.seen


@pytest.mark.parametrize(
    ("public", "name", "foreign"),
    [(True, "a public root", False), (True, "attacker", True), (False, "a public root", True)],
)
def test_the_roots_of_an_owner_are_public_ones(*, public: bool, name: str, foreign: bool) -> None:
    """And only for a source that trusts those."""
    probed = Probed(public_pem=ca(name))
    roots = ca("a public root") if public else None
    found = trust_not_named(probed, read(public=public), dropped=(), public=roots)
    assert (found is not None) is foreign
