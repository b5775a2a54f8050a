"""Which group a source belongs to, so that a team finds its own. Pure.

The owner of an endpoint says so with a tag on it, as AWS's own cost reports know it: ``team`` by
default. A run reads the tags of the endpoint anyhow, for consent, so that this costs no call.
"""

from collections.abc import Mapping

from certifier.text import printable

LENGTH = 40
"""Characters of a group's name."""


def tagged_group(tags: Mapping[str, str], key: str) -> str | None:
    """Return the group that an endpoint's tags name, bounded and printable; ``None``: none.

    Args:
        key: of the tag; without one, no tag names a group.
    """
    value = " ".join(tags.get(key, "").split()) if key else ""
    return printable(value, LENGTH) or None


def group_of(name: str, tagged: str | None) -> str:
    """Return the group of a source: the tagged one, or else how its name begins."""
    return tagged or name.partition("-")[0]
