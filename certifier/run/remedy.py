"""A remedy for one source: its commands can be typed as they stand."""

import re

from certifier.source_values import is_name

_NAMELESS = re.compile(r"(`certifier [a-z-]+ )NAME\b")


def of_source(remedy: str, name: str) -> str:
    """Return a remedy with the source's name in the place of NAME, in commands of ours alone.

    A name that no source can have is not put into what somebody is going to type.
    """
    if not is_name(name):
        return remedy
    return _NAMELESS.sub(lambda found: found[1] + name, remedy)
