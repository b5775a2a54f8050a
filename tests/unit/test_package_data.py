"""What `pip install .` brings: every file of the package that is not Python is package data."""

import tomllib
from fnmatch import fnmatch
from importlib import resources
from pathlib import Path

from certifier.certificate import certificates_in

ROOT = Path(__file__).resolve().parents[2]


def test_every_file_of_the_package_is_installed() -> None:
    """The patterns of pyproject.toml cover each; the roots of RDS are among them."""
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    patterns = tables["package-data"]["*"]
    others = [
        path
        for path in (ROOT / "certifier").rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    ]
    assert "rds-g1-roots.pem" in [path.name for path in others]
    assert [p for p in others if not any(fnmatch(p.name, one) for one in patterns)] == []


def test_the_roots_are_read_from_the_package() -> None:
    """As a resource, wherever the package is installed."""
    pem = resources.files("certifier.roots").joinpath("rds-g1-roots.pem").read_bytes()
    assert len(certificates_in(pem)) == 96
