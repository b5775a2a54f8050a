"""The Chromium that the pages are looked at with, and how it is unpacked.

On Linux with an x64 processor it comes from npm (``@sparticuz/chromium``, which carries the binary
itself, so that nothing is downloaded besides the package). Elsewhere, or to use another one,
``CERTIFIER_CHROMIUM`` names an executable of the machine.
"""

import fcntl
import os
import platform
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VARIABLE = "CERTIFIER_CHROMIUM"
UNPACKED = ROOT / "build" / "chromium"
PACKAGE = "@sparticuz/chromium"
UNPACK_SECONDS = 120

_UNPACK = """
const { createBrotliDecompress } = require("zlib");
const { createReadStream, createWriteStream } = require("fs");
const { pipeline } = require("stream/promises");
pipeline(createReadStream(process.argv[1]), createBrotliDecompress(),
  createWriteStream(process.argv[2]));
"""


# The fonts of the package, then whatever the machine has.
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{cache}</cachedir>
</fontconfig>
"""


class NoChromium(Exception):
    """This machine has none that could be used; the text says why."""


@dataclass(frozen=True)
class Chromium:
    """An executable, and where its shared libraries and fonts lie, if it brings its own."""

    executable: Path
    brought: Path | None = None

    @property
    def environment(self) -> dict[str, str | float | bool]:
        """The environment to start it in."""
        given: dict[str, str | float | bool] = {**os.environ}
        if self.brought is not None:
            given["LD_LIBRARY_PATH"] = str(self.brought / "al2023" / "lib")
            given["FONTCONFIG_FILE"] = str(self.brought / "fonts.conf")
        return given


def find() -> Chromium:
    """Return the Chromium of this machine, unpacked once.

    Raises:
        NoChromium: there is none for this platform, and no variable names one.
    """
    if named := os.environ.get(VARIABLE):
        return Chromium(Path(named))
    system = f"{platform.system()} {platform.machine()}"
    if system != "Linux x86_64":
        raise NoChromium(f"no package brings a Chromium for {system}; {VARIABLE} can name one")
    return Chromium(_unpacked(npm_file(PACKAGE)), UNPACKED)


def npm_file(name: str) -> Path:
    """Return a file or folder of an npm package, where node would find it."""
    folders = os.environ.get("NODE_PATH", "").split(os.pathsep)
    for folder in (ROOT / "node_modules", *map(Path, filter(None, folders))):
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"{name} is not installed: run `make setup`")


def _unpacked(package: Path) -> Path:
    """Unpack the package once, however many workers ask at the same time."""
    executable = UNPACKED / "chromium"
    UNPACKED.mkdir(parents=True, exist_ok=True)
    with (UNPACKED / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = UNPACKED / ".of"
        size = str((package / "bin" / "chromium.br").stat().st_size)
        if stamp.exists() and stamp.read_text() == size:
            return executable
        for name in ("al2023", "fonts", "swiftshader"):
            shutil.rmtree(UNPACKED / name, ignore_errors=True)
            archive = UNPACKED / f"{name}.tar"
            _decompress(package / "bin" / f"{name}.tar.br", archive)
            with tarfile.open(archive) as packed:
                packed.extractall(UNPACKED / name, filter="data")
            archive.unlink()
        _decompress(package / "bin" / "chromium.br", executable)
        executable.chmod(0o755)
        for library in (UNPACKED / "swiftshader").rglob("*.*"):
            shutil.copy(library, UNPACKED)
        fonts = _FONTS.format(fonts=UNPACKED / "fonts", cache=UNPACKED / "fonts-cache")
        (UNPACKED / "fonts.conf").write_text(fonts)
        stamp.write_text(size)
    return executable


def _decompress(packed: Path, plain: Path) -> None:
    """Unpack one Brotli file, which Python cannot do by itself and node, which is here, can."""
    subprocess.run(
        ["node", "-e", _UNPACK, str(packed), str(plain)], check=True, timeout=UNPACK_SECONDS
    )
