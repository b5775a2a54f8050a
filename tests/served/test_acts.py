"""Every act of ``python -m sandbox do`` does what its line of ``do --help`` says."""

import json
import re
import shutil
import socket
import subprocess
import sys
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest

from sandbox import acts
from tests.docs.markdown import ROOT
from tests.served.conftest import Served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def certified(served: Served) -> Served:
    """The account, once orders is certified."""
    assert "orders: certified" in served.shell(f"certifier certify {served.folder}/orders.json")
    return served


def quiet(served: Served) -> None:
    """Wait until no run is under way."""
    served.until(lambda: not served.status()["running"], 180)


def certify(served: Served) -> str:
    """Certify orders when nothing runs, and return how it ended."""
    for _ in range(5):
        quiet(served)
        done = served.run("certifier certify orders --json")
        (line,) = json.loads(done.stdout)["summary"]["lines"]
        if line["outcome"] != "deferred":  # the schedule, or an event, was faster
            return str(line["outcome"])
    return "deferred"


def test_a_password_is_rotated(certified: Served) -> None:
    """PostgreSQL and the secret have the new one: the next run certifies."""
    assert "has a new password" in certified.sandbox("do", "rotate-password")
    assert certify(certified) == "certified"


def test_a_certificate_expires_soon(certified: Served) -> None:
    """In three days, and status counts them; a renewal ends it."""
    assert "expires in 3d" in certified.sandbox("do", "expire-soon", "3d")
    assert certify(certified) == "certified"
    assert certified.status()["days_left"] <= 3
    certified.sandbox("do", "renew")
    assert certify(certified) == "certified"
    assert certified.status()["days_left"] > 3


def test_a_wrong_ca_is_refused_until_the_right_one_is_back(certified: Served) -> None:
    """The endpoint is not touched in between."""
    assert "another team" in certified.sandbox("do", "wrong-ca")
    assert certify(certified) == "refused"
    assert "again" in certified.sandbox("do", "right-ca")
    assert certify(certified) == "certified"


def test_a_network_breaks_and_is_repaired(certified: Served) -> None:
    """DMS resolves no name, and our probe does: a run says that the two differ."""
    assert "no host name resolves" in certified.sandbox("do", "break-network")
    assert certify(certified) in ("failed", "refused")
    assert "dns" in certified.shell("certifier show orders")
    assert "reaches and connects" in certified.sandbox("do", "repair")
    assert certify(certified) == "certified"


def test_time_passes(certified: Served) -> None:
    """Ten minutes with the schedule, or a day at once."""
    quiet(certified)
    assert certified.sandbox("do", "tick").startswith("ten minutes later; ")
    before, after = (
        datetime.fromisoformat(certified.sandbox("do", "skip", period)[6:22] + "+00:00")
        for period in ("1s", "2d")
    )
    assert timedelta(days=2) <= after - before < timedelta(days=3)


def test_a_run_is_killed_in_a_state_that_there_is(certified: Served) -> None:
    """Another one is refused, with those that there are."""
    assert "'Probe TLS' is killed there" in certified.sandbox("do", "kill", "Probe TLS")
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "do", "--folder", certified.folder, "kill", "Nowhere"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("sandbox do: no run enters 'Nowhere'; the states are ")
    assert "Test connection" in done.stderr


def test_the_help_lists_every_act(certified: Served) -> None:
    """Each with the first line of what it does."""
    printed = certified.sandbox("do", "--help")
    for name, act in acts.ACTS.items():
        line = (act.__doc__ or "").splitlines()[0]
        assert re.search(rf"^  {re.escape(name)} +{re.escape(line)}$", printed, re.MULTILINE)


def test_only_this_machine_is_served(certified: Served) -> None:
    """Its other addresses do not answer on the port."""
    port = int(urlsplit(certified.account["url"]).port or 0)
    if shutil.which("hostname") is None:
        pytest.skip("no command lists the addresses of this machine")
    listed = subprocess.run(
        ["hostname", "-I"], capture_output=True, text=True, timeout=10, check=False
    )
    for address in listed.stdout.split():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as client:
            client.settimeout(5)
            assert client.connect_ex((address, port)) != 0
