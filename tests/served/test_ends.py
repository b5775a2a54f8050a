"""A served account ends cleanly, leaves nothing when it is killed, and stands beside others."""

import os
import re
import signal
import socket
import stat
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.served.conftest import Served, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def descendants(pid: int) -> set[int]:
    """A process and all below it."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(folder.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def alive(pids: set[int]) -> set[int]:
    """Those that still run; a zombie does not."""
    running = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        running |= {pid} if state != "Z" else set()
    return running


pytestmark.append(pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc"))


def test_two_at_once_and_both_ends(tmp_path: Path) -> None:
    """Two accounts from one folder; Ctrl-C ends one, SIGKILL the other; no process is left."""
    with (
        serving(tmp_path / "a", "--port", "4599") as first,
        serving(tmp_path / "a", "--port", "4599") as second,
    ):
        second.folder = tmp_path / "a-2"
        assert first.account["url"] != second.account["url"]
        assert f"--folder {second.folder}" in second.banner
        for each in (first, second):
            assert "billing-source" in each.shell("certifier discover --json")
        _ends_by_ctrl_c(first)
        assert "billing-source" in second.shell("certifier discover --json")
        _leaves_nothing_when_killed(second)


def _ends_by_ctrl_c(served: Served) -> None:
    processes = descendants(served.process.pid)
    assert len(processes) > 3  # the account, its watcher, PostgreSQL and its own
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(60) == 0
    served.until(lambda: not alive(processes), 30)
    assert not (served.folder / "account.json").exists()


def data_directory(processes: set[int]) -> Path:
    """Where the PostgreSQL among these processes keeps its data."""
    for pid in processes:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if words[0].endswith(b"/bin/postgres") and b"-D" in words:
            return Path(words[words.index(b"-D") + 1].decode())
    pytest.fail("no PostgreSQL among them")


def listens(port: int) -> bool:
    """Whether anybody answers on this port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def ports(served: Served) -> tuple[int, int]:
    """The account's, and PostgreSQL's."""
    database = re.search(r"PostgreSQL \S+ at localhost:(\d+)", served.banner)
    assert database is not None
    return int(urlsplit(served.account["url"]).port or 0), int(database[1])


def _leaves_nothing_when_killed(served: Served) -> None:
    processes = descendants(served.process.pid)
    data, taken = data_directory(processes), ports(served)
    assert data.exists()
    assert all(listens(port) for port in taken)
    os.kill(served.process.pid, signal.SIGKILL)
    served.process.wait(10)
    served.until(lambda: not alive(processes), 60)
    assert not (served.folder / "account.json").exists()
    served.until(lambda: not data.parent.exists(), 30)
    assert not any(listens(port) for port in taken)


def test_the_next_one_cleans_up_after_a_watcher_that_was_killed_too(tmp_path: Path) -> None:
    """Account and watcher get SIGKILL: PostgreSQL is left, until another account is opened."""
    with serving(tmp_path / "c", "--port", "0") as served:
        processes = descendants(served.process.pid)
        data, (_, database) = data_directory(processes), ports(served)
        (watcher,) = {
            pid
            for pid in processes
            if b"sandbox.serve.watch" in Path(f"/proc/{pid}/cmdline").read_bytes()
        }
        os.kill(watcher, signal.SIGKILL)
        os.kill(served.process.pid, signal.SIGKILL)
        served.process.wait(10)
        with serving(tmp_path / "c", "--port", "0") as following:
            assert following.folder == served.folder
            assert "billing-source" in following.shell("certifier discover --json")
            assert not data.parent.exists()
            assert not listens(database)
            assert not alive(processes)


def test_a_reset_begins_again(tmp_path: Path) -> None:
    """What was made is gone, the address stays, and the source's file fits the new server."""
    with serving(tmp_path / "b", "--port", "0") as served:
        url = served.account["url"]
        served.shell("aws s3 mb s3://somebodys-bucket")
        assert "as it was at first" in served.sandbox("reset")
        assert served.account["url"] == url
        assert "somebodys-bucket" not in served.shell("aws s3 ls")
        assert "planned" in served.shell(f"certifier certify {served.folder}/orders.json --plan")
        mode = stat.S_IMODE((served.folder / "bin" / "certifier").stat().st_mode)
        assert mode & stat.S_IXUSR
