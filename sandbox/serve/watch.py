"""The watcher of a served account: when its process is killed, it removes what would be left.

It is started with a pipe as its standard input, into which nothing is written until the account
has ended well. A killed process closes it too, without a word; then PostgreSQL is stopped and its
folder removed, as the next sandbox on this machine would do, and so is the file that names the
account.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_ENDED = b"ended"
_WAIT_SECONDS = 10.0


@contextmanager
def watched(file: Path) -> Iterator[None]:
    """Have a process of its own watch this one; ``file`` is removed with the rest."""
    command = [sys.executable, "-m", "sandbox.serve.watch", str(file.resolve())]
    watcher = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us
    )
    try:
        yield
    finally:
        with suppress(OSError, subprocess.TimeoutExpired):
            watcher.communicate(_ENDED, timeout=_WAIT_SECONDS)


def main(file: Path) -> None:
    """Wait for the end of the account's process, and clean up unless it has."""
    if sys.stdin.buffer.read(len(_ENDED)) == _ENDED:
        return
    from sandbox import postgres  # noqa: PLC0415 - it takes long, and is rarely needed

    file.unlink(missing_ok=True)
    postgres.end_orphans()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
