"""An account that is served by a process of its own, for as long as somebody works with it."""

import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

OPEN = "Ctrl-C ends it"
"""In the line after which commands of other terminals are answered."""
_END_SECONDS = 60


@contextmanager
def served_from(
    folder: Path, python: str, *, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Serve an account from a folder, on a free port; Ctrl-C ends it with the block.

    Args:
        python: the interpreter; its path may be relative to the folder.
        environment: default: our own.

    Raises:
        ValueError: it did not open; the text is what it printed.
    """
    server = subprocess.Popen(
        [python, "-m", "sandbox", "serve", "--port", "0"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert server.stdout is not None
    try:
        printed = ""
        for line in server.stdout:
            printed += line
            if OPEN in line:
                break
        else:
            raise ValueError(f"the account did not open\n{printed}")
        yield
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        server.stdout.close()
