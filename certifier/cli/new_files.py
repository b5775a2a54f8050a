"""Files that a command writes to start from: in UTF-8, whole, and never over what is there."""

import errno
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def write_new(contents: Mapping[Path, str]) -> None:
    """Write all of these files, or none of them.

    Each is written under another name beside its place, and then given its own: a file is whole
    or not there, also when the machine stops in between.

    Raises:
        OSError: one is there already, or cannot be written; none of them is left behind.
    """
    for file in contents:
        if os.path.lexists(file):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(file))
    written: list[Path] = []
    try:
        for file, text in contents.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            _write(file, text)
            written.append(file)
    except OSError:
        for file in written:
            with suppress(OSError):
                file.unlink()
        raise


def _write(file: Path, text: str) -> None:
    handle, beside = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as opened:
            opened.write(text)
        Path(beside).chmod(0o644)  # they hold no secret, and are meant to be shared
        os.link(beside, file)  # fails where somebody was faster
    except OSError as error:
        error.filename = str(file)
        raise
    finally:
        with suppress(OSError):
            Path(beside).unlink()
