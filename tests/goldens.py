"""What people read, kept as files: a change of it shows in a review as they would see it.

``GOLDEN=write`` in the environment writes the files again; look at the difference before you
commit it.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "golden"


def golden(name: str, text: str) -> None:
    """Compare a text with the file of that name."""
    file = FOLDER / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        file.write_text(text, encoding="utf-8")
    assert file.is_file(), f"{file} is missing: GOLDEN=write writes it"
    assert text == file.read_text(encoding="utf-8")
