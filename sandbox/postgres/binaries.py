"""The npm packages that PostgreSQL comes in, and a copy of one that any user can run."""

from __future__ import annotations

import json
import os
import platform
import shutil
import stat
import sys
from pathlib import Path

from sandbox.postgres.errors import PostgresError

MAJORS = (15, 16, 17, 18)
_PACKAGES = Path(__file__).resolve().parents[2] / "node_modules"


def available_majors() -> tuple[int, ...]:
    """The majors whose packages are installed, smallest first."""
    return tuple(major for major in MAJORS if (package_of(major) / "native").is_dir())


def this_platform() -> str:
    system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform)
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(
        platform.machine().lower()
    )
    if system is None or machine is None:
        raise PostgresError(
            f"no PostgreSQL binaries for {sys.platform} on {platform.machine()}: "
            "linux and darwin, on x64 and arm64, are supported"
        )
    return f"{system}-{machine}"


def package_of(major: int) -> Path:
    return _PACKAGES / f"postgres-{major}-{this_platform()}"


def is_complete(binaries: Path) -> bool:
    """Whether a copy still has all its files; cleaners of temporary folders take single ones."""
    try:
        expected = int((binaries / "complete").read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return False
    return expected == _count_files(binaries)


def _count_files(folder: Path) -> int:
    return sum(len(files) for _path, _folders, files in os.walk(folder))


def copy_binaries(package: Path, target: Path) -> None:
    native = package / "native"
    shutil.copytree(
        native,
        target,
        symlinks=True,
        ignore=shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "pg-symlinks.json"),
    )
    links = native / "pg-symlinks.json"
    for row in json.loads(links.read_text("utf-8")) if links.is_file() else ():
        source, link = (
            target / Path(row[part]).relative_to("native") for part in ("source", "target")
        )
        if source.exists() and not os.path.lexists(link):
            link.symlink_to(os.path.relpath(source, link.parent))
    for folder, _folders, files in os.walk(target):
        Path(folder).chmod(0o755)
        for name in files:
            file = Path(folder, name)
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644)
    for name in ("initdb", "pg_ctl", "postgres"):
        (target / "bin" / name).chmod(0o755)
    (target / "complete").write_text(str(_count_files(target) + 1), "ascii")
