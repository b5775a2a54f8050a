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
    return _shown(tags.get(key, "")) or None if key else None


def _shown(value: str) -> str:
    return printable(" ".join(value.split()), LENGTH)


def group_of(name: str, tagged: str | None) -> str:
    """Return the group of a source: the tagged one, or else how its name begins."""
    return tagged or name.partition("-")[0]


def is_in_group(name: str, tagged: str | None, asked: str) -> bool:
    """Return whether a source belongs to a group that somebody asks for, by the tag's whole value
    or as a page shows it."""
    return group_of(name, tagged) in (asked, _shown(asked))
