"""``certifier make-certificates``: files, modes, refusals, and what our own intake says of them."""

import json
import os
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from certifier.certificate import check_material
from certifier.certificate.make import KeyType, host_problem
from certifier.cli import main
from certifier.models import Policy
from certifier.vocabulary import SslMode

HOST = "orders.db.example.com"
COMPOSE = Path(__file__).resolve().parents[2] / "examples" / "postgresql-tls" / "docker-compose.yml"


def made(*argv: str | Path) -> int:
    return main(["make-certificates", *map(str, argv)])


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_have_their_modes_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """Certificates are readable, the key is its owner's alone, and git leaves keys out."""
    before = os.umask(umask)
    try:
        assert made(tmp_path / "tls", "--host", HOST) == 0
    finally:
        os.umask(before)
    names = {path.name: mode(path) for path in (tmp_path / "tls").iterdir()}
    del names[".gitignore"]
    assert names == {"root.crt": 0o644, "server.crt": 0o644, "server.key": 0o600}
    assert (tmp_path / "tls" / ".gitignore").read_text() == "*.key\n"


@pytest.mark.parametrize("key_type", [KeyType.EC_P256, KeyType.EC_P384, KeyType.RSA_2048])
def test_what_is_made_passes_our_own_intake(tmp_path: Path, key_type: KeyType) -> None:
    """With every kind of key, the result is accepted for each name, without a single finding."""
    hosts = [HOST, "*.example.com", "10.0.0.7", "2001:db8::1"]
    assert made(tmp_path, "--host", *hosts, "--key-type", key_type) == 0
    for host in (HOST, "orders.example.com"):
        result = check_material(
            certificate=(tmp_path / "server.crt").read_bytes(),
            private_key=(tmp_path / "server.key").read_bytes(),
            chain=None,
            ca=(tmp_path / "root.crt").read_bytes(),
            host=host,
            ssl_mode=SslMode.VERIFY_FULL,
            now=datetime.now(UTC),
            policy=Policy(),
        )
        assert result.accepted
        assert result.findings == ()
    assert result.certificates[0].names.ips == ("10.0.0.7", "2001:db8::1")


def test_days_are_as_asked(tmp_path: Path) -> None:
    """Validity follows the options, and both certificates are valid already."""
    assert made(tmp_path, "--host", HOST, "--days", "90", "--root-days", "500") == 0
    now = datetime.now(UTC)
    for name, days in (("server.crt", 90), ("root.crt", 500)):
        one = x509.load_pem_x509_certificate((tmp_path / name).read_bytes())
        assert one.not_valid_after_utc - one.not_valid_before_utc == timedelta(days=days)
        assert one.not_valid_before_utc < now


@pytest.mark.parametrize("there", ["root.crt", "server.crt", "server.key", "root.key"])
def test_nothing_is_overwritten(
    tmp_path: Path, there: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is there, be it a dangling link, stops everything before the first write."""
    if there == "server.key":
        (tmp_path / there).symlink_to(tmp_path / "elsewhere")
    else:
        (tmp_path / there).write_text("precious")
    assert made(tmp_path, "--host", HOST) == 1
    assert [path.name for path in tmp_path.iterdir()] == [there]
    output = capsys.readouterr()
    assert there in output.err
    assert output.out == ""


def test_the_roots_key_is_written_on_request_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the option nobody can sign with the root again, and the text says so."""
    assert made(tmp_path / "a", "--host", HOST) == 0
    assert "thrown away" in capsys.readouterr().out
    assert made(tmp_path / "b", "--host", HOST, "--keep-root-key") == 0
    assert "keep it offline" in capsys.readouterr().out
    assert mode(tmp_path / "b" / "root.key") == 0o600
    assert not (tmp_path / "a" / "root.key").exists()


def test_the_text_tells_how_to_use_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settings, compose lines and a first command name the files that were written."""
    folder = tmp_path / "it's here"
    assert made(folder, "--host", HOST) == 0
    out = capsys.readouterr().out
    quoted = str(folder).replace("'", "''")
    assert f"ssl_cert_file = '{quoted}/server.crt'" in out
    assert f"ssl_key_file = '{quoted}/server.key'" in out
    assert f'- "{folder}:/certificates:ro"' in out
    assert "hostssl all all all scram-sha-256" in out
    assert "sslmode=verify-full" in out
    assert "PRIVATE KEY" not in out


def composed(out: str) -> dict[str, Any]:
    """The compose lines of the text, as Docker Compose reads them."""
    lines = out.partition("docker-compose.yml")[2].partition("\n\n")[0].splitlines()[1:]
    service: dict[str, Any] = yaml.safe_load("\n".join(lines))["services"]["postgres"]
    return service


def test_the_compose_example_does_what_the_text_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The printed lines and the example start PostgreSQL in the same way."""
    assert made(tmp_path, "--host", HOST) == 0
    printed = composed(capsys.readouterr().out)
    example = yaml.safe_load(COMPOSE.read_text())["services"]["postgres"]
    assert printed["image"] == example["image"]
    assert printed["entrypoint"] == example["entrypoint"]
    assert printed["command"] == example["command"][: len(printed["command"])]


def test_the_entrypoint_hands_the_key_to_postgresql(tmp_path: Path) -> None:
    """The script copies key and certificate with their owner, and goes on with the command."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("install", "docker-entrypoint.sh"):
        (tools / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (tools / name).chmod(0o755)
    service = yaml.safe_load(COMPOSE.read_text())["services"]["postgres"]
    argv = [word.replace("$$", "$") for word in (*service["entrypoint"], *service["command"])]
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        argv, env={"PATH": path}, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.splitlines() == [
        "install -d -o postgres -g postgres -m 700 /run/tls",
        "install -o postgres -g postgres -m 600 /certificates/server.key /run/tls/server.key",
        "install -o postgres -g postgres -m 644 /certificates/server.crt /run/tls/server.crt",
        "docker-entrypoint.sh postgres -cssl=on -cssl_cert_file=/run/tls/server.crt"
        " -cssl_key_file=/run/tls/server.key -chba_file=/etc/postgresql/pg_hba.conf",
    ]


def test_json_names_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get the paths."""
    assert made(tmp_path, "--host", HOST, "--json") == 0
    output = json.loads(capsys.readouterr().out)
    assert output["hosts"] == [HOST]
    assert [Path(path).name for path in output["files"]] == ["root.crt", "server.crt", "server.key"]


def test_an_ignore_list_that_is_there_is_added_to(tmp_path: Path) -> None:
    """The list that somebody wrote keeps its lines, whatever bytes they are, and gets ours once."""
    ignore = tmp_path / ".gitignore"
    ignore.write_bytes(b"\xff*.log")
    assert made(tmp_path, "--host", HOST) == 0
    assert ignore.read_bytes() == b"\xff*.log\n*.key\n"
    for name in ("root.crt", "server.crt", "server.key"):
        (tmp_path / name).unlink()
    assert made(tmp_path, "--host", HOST) == 0
    assert ignore.read_bytes() == b"\xff*.log\n*.key\n"


def test_a_folder_that_cannot_be_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A path through a file exits with 2 and names it."""
    (tmp_path / "file").write_text("x")
    assert made(tmp_path / "file" / "tls", "--host", HOST) == 2
    assert "file" in capsys.readouterr().err


def test_a_failure_half_way_leaves_nothing(tmp_path: Path) -> None:
    """When the last file cannot be written, the first ones go again."""
    (tmp_path / ".gitignore").mkdir()
    assert made(tmp_path, "--host", HOST) == 2
    assert [path.name for path in tmp_path.iterdir()] == [".gitignore"]


@pytest.mark.parametrize(
    "argv",
    [
        ["--host", "a b"],
        ["--host", ""],
        ["--host=-x.example.com"],
        ["--host", "x..example.com"],
        ["--host", "300.1.1.1"],
        ["--host", "bücher.example.com"],
        ["--host", "a.*.example.com"],
        ["--host", "x" * 64 + ".example.com"],
        ["--host", "\x1b[2J"],
        ["--host", HOST, "--root-days", "10"],
    ],
)
def test_wrong_usage_writes_nothing(
    tmp_path: Path, argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that no certificate can carry exits with 2, escaped, and nothing is written."""
    assert made(tmp_path / "tls", *argv) == 2
    assert not (tmp_path / "tls").exists()
    err = capsys.readouterr().err
    assert err.startswith("certifier make-certificates: ")
    assert "\x1b" not in err


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--host", HOST, "--days", "399"],
        ["--host", HOST, "--days", "0"],
        ["--host", HOST, "--days", "9" * 5000],
        ["--host", HOST, "--days", "ten"],
        ["--host", HOST, "--root-days", "8000"],
        ["--host", HOST, "--key-type", "dsa"],
        ["--host", HOST, "--root-name", ""],
        ["--host", HOST, "--root-name", "x" * 65],
    ],
)
def test_options_out_of_bounds_are_wrong_usage(tmp_path: Path, argv: list[str]) -> None:
    """argparse says what is allowed and exits with 2."""
    assert made(tmp_path, *argv) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "host", [HOST, "localhost", "10.0.0.1", "::1", "*.example.com", "xn--bcher-kva.example", "a_b"]
)
def test_hosts_that_work(host: str) -> None:
    """Names as DNS has them, a leading wildcard, and addresses."""
    assert host_problem(host) is None
