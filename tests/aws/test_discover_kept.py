"""What ``certifier discover`` says of endpoints that sources keep already."""

from pathlib import Path

import pytest

from certifier.aws.clients import Clients
from certifier.aws.store import Store
from certifier.cli import discover
from certifier.source import parse_source
from sandbox.dms import DmsStandIn
from tests.aws.certifications import SPEC
from tests.aws.test_cli_fleet import NOW, an_account, command, installed, standin

__all__ = ["installed", "standin"]  # fixtures


@pytest.mark.parametrize("by_arn", [False, True])
def test_what_a_source_keeps_is_named_and_not_written_again(
    clients: Clients,
    standin: DmsStandIn,
    store: Store,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    by_arn: bool,
) -> None:
    """Whether the source names the endpoint by its identifier, in whatever case, or its ARN."""
    dms = an_account(clients, standin)
    kept = dms.endpoint("orders-source")
    assert kept is not None
    endpoint = kept.arn if by_arn else "ORDERS-source"
    store.register(parse_source({**SPEC, "name": "ours", "endpoint": endpoint}), NOW)
    folder = tmp_path / "sources"
    assert command(discover, "--emit", str(folder)) == 0
    assert sorted(file.name for file in folder.iterdir()) == ["sales-ca.pem", "sales.json"]
    out = capsys.readouterr().out
    assert "kept by ours" in out
    assert "1 kept by Certifier" in out
    assert f"--resource-arn {kept.arn}" not in out
