"""A command that is printed to be typed is one for the installation that was asked about.

Pasted without its Region, ``reset-breaker`` or ``forget`` would be done to another one.
"""

import pytest

from certifier.aws.clients import Clients
from certifier.aws.s3 import Documents
from certifier.aws.store import Store
from certifier.aws.store.breaker import put_breaker
from certifier.aws.store.items import source_key
from certifier.cli import main
from certifier.run.kept import written
from certifier.run.state import BadEnd, Breaker
from tests.aws.test_cli_fleet import NOW, RUN, installed, register  # noqa: F401 - a fixture
from tests.unit.test_report import a_record

REGION = ("--region", "eu-west-1")
HERE = "--region eu-west-1"


def test_status_without_a_source(
    installed: None,  # noqa: F811
    store: Store,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It says how the first one is registered there."""
    assert main(["status", *REGION]) == 0
    assert f"certifier certify orders.json {HERE} registers" in capsys.readouterr().out


def test_status_with_an_open_breaker(
    installed: None,  # noqa: F811
    store: Store,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And how changes may begin again there, and not in another Region."""
    register(store, "orders")
    ends = (BadEnd(at=NOW, source="orders", run=RUN),)
    store._table.write(put_breaker(store._table, Breaker(open_since=NOW, ends=ends)))
    assert main(["status", *REGION]) == 0
    assert f"certifier reset-breaker {HERE}\n" in capsys.readouterr().out


def test_show_and_forget(
    installed: None,  # noqa: F811
    store: Store,
    clients: Clients,
    bucket: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The page and the records lie in the bucket of that Region."""
    register(store, "orders")
    documents = Documents(clients.client("s3"), bucket)
    documents.put("records/orders/1.json", written(a_record()).encode(), "application/json")
    at = {"record": "records/orders/1"}
    store._table.write(store._table.update_op(source_key("orders", "STATE"), set_=at))
    assert main(["show", "orders", *REGION]) == 0
    assert f"certifier open orders {HERE}\n" in capsys.readouterr().out
    assert main(["forget", "orders", *REGION]) == 0
    assert main(["forget", "orders", *REGION]) == 0
    assert capsys.readouterr().out.endswith(f"stay: certifier history orders {HERE}\n")
