"""``certifier open`` writes into its folder alone, whatever table, bucket or page say."""

from pathlib import Path

import pytest

from certifier.aws.clients import Clients
from certifier.aws.s3 import Documents
from certifier.cli.open import fetched


@pytest.mark.parametrize(
    "key",
    [
        "records/../../evil.html",
        "reports/../../../evil.html",
        "../evil.html",
        "/etc/evil.html",
        "runs/evil.html",
        "records/orders/./../../../evil.html",
    ],
)
def test_a_key_leads_nowhere_else(clients: Clients, bucket: str, tmp_path: Path, key: str) -> None:
    """A forged STATE, or the name of an execution that nobody has, names no file of the machine."""
    clients.client("s3").put_object(Bucket=bucket, Key=key, Body=b"evil")
    folder = tmp_path / "deep/er/pages"
    assert fetched(Documents(clients.client("s3"), bucket), key, folder) is None
    assert list(tmp_path.rglob("*.html")) == []


def test_a_page_and_what_it_links_to_are_fetched(
    clients: Clients, bucket: str, tmp_path: Path
) -> None:
    """Links out of the folder are not."""
    s3 = clients.client("s3")
    links = b'<a href="../../reports/run.html"><a href="../../../../evil.html">'
    s3.put_object(Bucket=bucket, Key="records/orders/1.html", Body=links)
    s3.put_object(Bucket=bucket, Key="reports/run.html", Body=b"run")
    file = fetched(Documents(s3, bucket), "records/orders/1.html", tmp_path)
    assert file == tmp_path / "records/orders/1.html"
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.html")}
    assert found == {"records/orders/1.html", "reports/run.html"}
