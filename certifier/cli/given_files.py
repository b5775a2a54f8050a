"""Files that a person names: read as far as a command looks, and never waited for."""

import os
from pathlib import Path


class UnreadableFile(Exception):
    """A file cannot be read; the text names it, and says why."""


def read_file(path: Path | str, limit: int) -> bytes:
    """Return what is in a file, of a longer one ``limit`` bytes and one more, which shows it.

    Raises:
        UnreadableFile: it cannot be opened or read, or no file can have that name.
    """
    try:
        with open(path, "rb", opener=_at_once) as file:
            return file.read(limit + 1)
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror}") from None
    except ValueError:
        raise UnreadableFile(f"{path}: no file can have that name") from None


def _at_once(path: str, flags: int) -> int:
    """An opener for `open`: a named pipe that nobody writes to is empty, and not waited for."""
    handle = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(handle, True)
    return handle
