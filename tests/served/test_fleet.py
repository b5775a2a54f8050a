"""A served fleet, and an account of a user who is not root."""

import os
import pwd
import shutil
from pathlib import Path

import pytest

from tests.served.conftest import Served, serving
from tests.served.test_ends import descendants

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_fleet_is_served(tmp_path: Path) -> None:
    """So many more certified sources are there at first: discover, status, report show them."""
    fleet = ["fleet-001", "fleet-002", "fleet-003"]
    with serving(tmp_path / "fleet", "--port", "0", "--sources", "3") as served:
        found = {each["identifier"]: each for each in served.json("certifier discover --json")}
        assert all(found[f"{name}-source"]["ssl_mode"] == "verify-full" for name in fleet)
        sources = {each["name"]: each for each in served.json("certifier status --json")["sources"]}
        assert [sources[name]["outcome"] for name in fleet] == ["certified"] * 3
        page = tmp_path / "fleet.html"
        served.run(f"certifier report --output {page}")
        assert all(name in page.read_text() for name in fleet)


# What lets a test of root's use root's interpreter and checkout as another user: it reads
# everything, and may do nothing else that this user may not.
AS_NOBODY = (
    "setpriv",
    "--reuid=nobody",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
    "--bounding-set=-all,+dac_read_search",
)

# jsii's cache wants a home directory whose every parent is the user's or root's, and open to it.
PLAIN = ("TMPDIR=/tmp", "JSII_RUNTIME_PACKAGE_CACHE=disabled")


def test_an_account_is_served_by_a_user_who_is_not_root(tmp_path: Path) -> None:
    """PostgreSQL runs as that user, and the first certification succeeds."""
    folder, prefix = tmp_path / "plain", list[str]()
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root, and there is no setpriv to become somebody else with")
        nobody = pwd.getpwnam("nobody")
        prefix = [*AS_NOBODY, f"--regid={nobody.pw_gid}", "env", f"HOME={folder}", *PLAIN]
        folder.mkdir()
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        for each in (tmp_path, *tmp_path.parents[:2]):
            each.chmod(0o755)
    with serving(folder / "account", "--port", "0", prefix=prefix) as served:
        certified(served)
        users = {Path(f"/proc/{pid}").stat().st_uid for pid in postgres(served)}
        assert users == {served.folder.stat().st_uid}
        assert 0 not in users


def certified(served: Served) -> None:
    """The first certification, as a newcomer types it."""
    shown = served.shell(f"certifier certify {served.folder}/orders.json")
    assert "orders: certified" in shown


def postgres(served: Served) -> set[int]:
    """The processes of its PostgreSQL."""
    return {
        pid
        for pid in descendants(served.process.pid)
        if b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    }
