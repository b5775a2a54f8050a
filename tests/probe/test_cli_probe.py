"""`certifier probe`: exit status, JSON, the sheet, and wrong usage."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from certifier.cli import main
from certifier.cli import probe as cli_probe
from certifier.cli.terminal import Terminal
from certifier.probe import ProbeReport
from certifier.vocabulary import Cause
from sandbox.libpq import refusal
from sandbox.pki import Authority
from sandbox.postgres import Access, Postgres
from sandbox.preloaded import preloaded
from tests.probe.fakes import Fake, error, scripted_login

_HOST = "db.example.com"
_ROOT = Authority.root("Example root")
_ISSUING = _ROOT.intermediate("Example issuing CA")
_LEAF = _ISSUING.issue(dns=[_HOST])
_PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres.start(tls=_LEAF, hba=Access.TLS_ONLY) as server:
        yield server


@pytest.fixture
def ca(tmp_path: Path) -> str:
    path = tmp_path / "root.crt"
    path.write_bytes(_ROOT.certificate_pem)
    return str(path)


def arguments(port: int, *more: str) -> list[str]:
    return ["probe", _HOST, "--address", "127.0.0.1", "--port", str(port), *more]


def test_a_pass_is_0_and_a_fail_is_1(
    postgres: Postgres, ca: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The mode that was asked for decides."""
    good = arguments(postgres.port, "--ca-bundle", ca)
    assert main(good) == 0
    assert capsys.readouterr().out.startswith("PASS")
    assert main(arguments(postgres.port)) == 1
    assert capsys.readouterr().out.startswith("FAIL")
    assert main(arguments(postgres.port, "--ssl-mode", "require")) == 0


def test_the_json_has_the_documented_shape(
    postgres: Postgres, ca: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verdict, mode, three verdicts with DMS's reading, findings, evidence; and it reads back."""
    monkeypatch.setenv("THE_PASSWORD", postgres.password)
    login = ["--user", postgres.user, "--database", "postgres", "--password-env", "THE_PASSWORD"]
    assert main(arguments(postgres.port, "--ca-bundle", ca, "--json", *login)) == 0
    out = capsys.readouterr().out
    answer = json.loads(out)
    assert list(answer) == ["verdict", "ssl_mode", "verdicts", "findings", "evidence"]
    assert (answer["verdict"], answer["ssl_mode"], answer["findings"]) == (
        "pass",
        "verify-full",
        [],
    )
    assert list(answer["verdicts"]) == ["require", "verify-ca", "verify-full"]
    assert answer["verdicts"]["require"]["dms_reading"]["passed"] is True
    assert answer["evidence"]["login"]["channel_binding"] is True
    assert postgres.password not in out
    ProbeReport.model_validate_json(out)


def test_every_field_of_the_json_is_documented() -> None:
    """probe-json.md names each property of the schema, and its own example validates."""
    text = (_PROJECT / "docs" / "reference" / "probe-json.md").read_text("utf-8")
    schema = ProbeReport.model_json_schema(mode="serialization")
    models = [schema, *schema["$defs"].values()]
    names = {name for model in models for name in model.get("properties", ())}
    assert {name for name in names if f"`{name}`" not in text} == set()
    example = text.split("```json\n")[1].split("```")[0]
    ProbeReport.model_validate_json(example)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_sheet_says_verdict_why_and_evidence_in_this_order(
    postgres: Postgres,
    ca: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
) -> None:
    """The answer comes first, the reason next, then what it rests on; nothing is cut off."""
    other = arguments(postgres.port, "--ca-bundle", ca)
    other[1] = "other.example.com"
    monkeypatch.setattr(cli_probe, "Terminal", lambda: Terminal(width=width))
    assert main(other) == 1
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= width or len(line.split()) == 1 for line in lines)
    assert any(_LEAF.fingerprint in line for line in lines)
    out = "".join("".join(lines).split())
    places = [
        out.index(part.replace(" ", ""))
        for part in (
            "FAIL",
            "verify-full",
            "hostname_mismatch",
            f"DNS:{_HOST}",
            "TLSv1.3",
            "Example issuing CA",
            _LEAF.fingerprint,
        )
    ]
    assert places == sorted(places)


def test_the_sheet_tells_of_replication_slots(
    ca: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever keeps WAL and is read by nobody stands in it, as in the JSON."""
    monkeypatch.setenv("COLUMNS", "120")
    with Postgres.start(tls=_LEAF, hba=Access.TLS_ONLY) as server:
        monkeypatch.setenv("THE_PASSWORD", server.password)
        server.execute("SELECT pg_create_physical_replication_slot('orders', true)")
        for number in range(8):
            server.execute(f"SELECT pg_create_physical_replication_slot('never_{number}')")
        login = ["--user", server.user, "--password-env", "THE_PASSWORD", "--ca-bundle", ca]
        assert main(arguments(server.port, *login)) == 0
    out = capsys.readouterr().out
    assert re.search(r"\nslots +orders: nobody reads from it, keeps .* of WAL, reserved *\n", out)
    assert re.search(r" +never_0: nobody reads from it *\n", out)
    assert re.search(r" +and 1 more *\n", out)


def test_the_intended_certificate_can_be_given(
    postgres: Postgres, ca: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a chain, the server certificate is found in it; another one is a warning."""
    chain = tmp_path / "chain.pem"
    chain.write_bytes(_LEAF.fullchain_pem)
    more = ["--ca-bundle", ca, "--json", "--certificate", str(chain)]
    assert main(arguments(postgres.port, *more)) == 0
    assert json.loads(capsys.readouterr().out)["evidence"]["served_intended"] is True
    chain.write_bytes(_ISSUING.issue(dns=[_HOST]).fullchain_pem)
    assert main(arguments(postgres.port, *more)) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [f["cause"] for f in answer["findings"]] == [Cause.SERVED_CERTIFICATE_DIFFERS]


@pytest.mark.parametrize(
    ("more", "part"),
    [
        (["--port", "0"], "port"),
        (["--port", "x"], "--port"),
        (["--timeout", "-1"], "timeout"),
        (["--timeout", "nan"], "timeout"),
        (["--address", "localhost"], "address"),
        (["--ssl-mode", "prefer"], "opportunistic"),
        (["--ssl-mode", "allow"], "opportunistic"),
        (["--ssl-mode", "VERIFY"], "verify-full"),
        (["--min-tls", "1.4"], "1.3"),
        (["--min-tls", "1.3", "--max-tls", "1.2"], "above"),
        (["--ca-bundle", "/nowhere/root.crt"], "/nowhere/root.crt"),
        (["--ca-bundle", "/"], "--ca-bundle"),
        (["--crl", "/nowhere/root.crl"], "--crl"),
        (["--certificate", "/dev/null"], "--certificate"),
        (["--password-env", "NO_SUCH_VARIABLE", "--user", "u"], "NO_SUCH_VARIABLE"),
        (["--password-env", "HOME"], "--user"),
        (["--no-such-option"], "--no-such-option"),
        (["--ca-bundle"], "--ca-bundle"),
        (["--user", "a\0b"], "user"),
        (["--user", ""], "user"),
        (["--plaintext"], "--user"),
    ],
)
def test_wrong_usage_is_2_and_names_what_is_wrong(
    more: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One clear line on stderr, nothing on stdout, nothing dialled."""
    assert main(["probe", _HOST, *more]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert part in captured.err
    assert "Traceback" not in captured.err


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is an empty file; what is written to one, as a shell does it, is read."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert main(["probe", _HOST, "--certificate", str(pipe)]) == 2
    assert "0 server certificates" in capsys.readouterr().err
    assert main(["inspect", "--certificate", str(pipe)]) == 1
    capsys.readouterr()
    reading, writing = os.pipe()

    def write() -> None:
        time.sleep(0.1)
        with os.fdopen(writing, "wb") as file:
            file.write(_LEAF.fullchain_pem)

    writer = threading.Thread(target=write)
    writer.start()
    assert main(["inspect", "--certificate", f"/dev/fd/{reading}"]) == 0
    writer.join()
    os.close(reading)


@pytest.mark.parametrize("word", ["disable", "none"])
def test_libpqs_word_for_no_tls_is_known(
    word: str, postgres: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    """`disable` means `none`."""
    assert main(arguments(postgres.port, "--ssl-mode", word, "--json", "--user", "u")) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["ssl_mode"] == "none"
    assert answer["findings"][0]["cause"] == Cause.HBA_REJECTED_PLAINTEXT


def test_what_a_server_says_never_reaches_the_terminal_as_it_is(
    ca: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither as an escape sequence nor as markup of ours."""
    evil = "\x1b[2J[bold red]owned[/bold red]\r\n:smile:"
    with Fake(scripted_login(_LEAF, error(S="FATAL", C="XX000", M=evil))) as fake:
        assert main(arguments(fake.port, "--ca-bundle", ca, "--user", "u")) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\r" not in out
    assert "[bold red]owned" in out
    assert ":smile:" in out


def test_the_host_may_be_odd(capsys: pytest.CaptureFixture[str]) -> None:
    """An odd host is a failed probe, not a traceback, and is shown escaped."""
    for host in ("\x1b[31m", "a,b", "/tmp", "x" * 300, "ü" * 100, "[::1]"):
        assert main(["probe", host, "--timeout", "2"]) == 1
        captured = capsys.readouterr()
        assert "\x1b[31m" not in captured.out
        assert captured.err == ""


def test_it_runs_as_a_module(ca: str, postgres: Postgres) -> None:
    """`python -m certifier` is the same command, also where the terminal knows only ASCII."""
    command = [sys.executable, "-m", "certifier", *arguments(postgres.port, "--ca-bundle", ca)]
    done = subprocess.run(
        command,
        cwd=_PROJECT,
        env={**preloaded(), "PYTHONIOENCODING": "ascii", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("PASS")
    shown = subprocess.run(
        [sys.executable, "-m", "certifier", "--help"],
        cwd=_PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert shown.returncode == 0
    assert "probe" in shown.stdout


# ---- libpq's other words for trust and lists


def _hashed(folder: Path, *lists: bytes) -> Path:
    """A folder of CRLs as `openssl rehash` names them."""
    folder.mkdir()
    for content in lists:
        named = subprocess.run(
            ["openssl", "crl", "-noout", "-hash"], input=content, capture_output=True, check=True
        )
        (folder / f"{named.stdout.decode().strip()}.r0").write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("lists", "passes"),
    [
        (lambda: (_ROOT.crl(), _ISSUING.crl()), True),
        (lambda: (_ROOT.crl(), _ISSUING.crl([_LEAF])), False),
        (lambda: (_ROOT.crl(),), False),
        (lambda: (), False),
    ],
    ids=["good", "revoked", "one is missing", "empty"],
)
def test_a_folder_of_lists_is_what_libpq_makes_of_it(
    postgres: Postgres,
    ca: str,
    tmp_path: Path,
    lists: Callable[[], tuple[bytes, ...]],
    passes: bool,
) -> None:
    """`--crl` takes libpq's sslcrldir too."""
    folder = _hashed(tmp_path / "lists", *lists())
    assert (main(arguments(postgres.port, "--ca-bundle", ca, "--crl", str(folder))) == 0) == passes
    said = refusal(
        18,
        {
            "host": _HOST,
            "hostaddr": "127.0.0.1",
            "port": postgres.port,
            "user": "nobody",
            "sslmode": "verify-full",
            "sslrootcert": ca,
            "sslcrldir": folder,
        },
    )
    assert ("certificate verify failed" not in said) == passes


def test_the_cas_of_the_system_are_libpqs(
    postgres: Postgres, ca: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--ca-bundle system` is sslrootcert=system: its default mode, and SSL_CERT_FILE."""
    monkeypatch.setenv("SSL_CERT_FILE", ca)
    assert main(arguments(postgres.port, "--ca-bundle", "system")) == 0
    assert main(arguments(postgres.port, "--ca-bundle", "system", "--ssl-mode", "verify-ca")) == 1
    assert "verify-full alone" in capsys.readouterr().out
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    assert main(arguments(postgres.port, "--ca-bundle", "system")) == 1


def test_older_clients_and_direct_tls_are_options(
    postgres: Postgres, ca: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an older client sees is a line of the sheet; direct TLS has a verdict of its own."""
    assert main(arguments(postgres.port, "--ca-bundle", ca, "--older-clients")) == 0
    assert "the same certificate" in capsys.readouterr().out
    direct = main(arguments(postgres.port, "--ca-bundle", ca, "--negotiation", "direct"))
    assert (direct == 0) == (int(postgres.server_version.split(".")[0]) >= 17)
