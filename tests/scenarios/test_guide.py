"""Every command of docs/guide.md is run, in its order, and does what the guide says.

bash runs the code blocks as they stand, in one folder. PostgreSQL, libpq, psql and openssl are
real, AWS is the sandbox's account, and what reaches out to the world (certbot, curl, docker, ssh)
is looked at and answered. Each program is a small script that hands its arguments to this process,
where the host's name is made to lead to the PostgreSQL of the test.
"""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from certifier.cli import main
from sandbox.aws.deploy import STACK
from sandbox.pki import Authority
from sandbox.postgres import TlsFiles
from sandbox.preloaded import preloaded
from sandbox.world import HOST, PAIR, PASSWORD, USER, World
from tests.docs.markdown import ROOT, blocks, fences, read
from tests.docs.shell import Aws
from tests.docs.transcript import missing, transcripts

TEXT = read(ROOT / "docs/guide.md")
PROGRAMS = ("aws", "certbot", "certifier", "curl", "docker", "psql", "ssh")
TUNNEL = "15432"
SHIM = """#!{python}
import http.client, json, os, sys
call = [os.path.basename(sys.argv[0]), sys.argv[1:], os.getcwd(), dict(os.environ)]
there = http.client.HTTPConnection("127.0.0.1", {port}, timeout=110)
there.request("POST", "/", json.dumps(call))
status, out, err = json.loads(there.getresponse().read())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(status)
"""
OPENSSL = """#!/bin/bash
exec {openssl} "${{@/{host}:5432/{address}}}"
"""
Answer = tuple[int, str, str]


class Reader:
    """Whoever follows the guide: a folder, a server, an account, and the programs on the PATH."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.data = folder / "data"
        self.calls: list[list[str]] = []
        self.printed = ""
        self._account = Aws(world.cloud.client)
        self._port = str(world.server.port)

    # -- the programs

    def run(self, program: str, arguments: list[str], cwd: str, env: Mapping[str, str]) -> Answer:
        """One call of a program, as its script has handed it over."""
        self.calls.append([program, *arguments])
        known: Callable[[list[str], Mapping[str, str]], Answer] = getattr(self, f"_{program}")
        with contextlib.chdir(cwd):
            return known(arguments, env)

    def _certbot(self, arguments: list[str], env: Mapping[str, str]) -> Answer:
        hook = arguments[arguments.index("--deploy-hook") + 1]
        assert hook.split()[0].endswith("certbot-deploy-hook")
        return 0, "", ""

    def _ssh(self, arguments: list[str], env: Mapping[str, str]) -> Answer:
        assert arguments[arguments.index("-L") + 1] == f"{TUNNEL}:{HOST}:5432"
        return 0, "", ""

    def _curl(self, arguments: list[str], env: Mapping[str, str]) -> Answer:
        assert arguments[-1].startswith("https://")
        pem = Authority.root("From the Internet").certificate_pem
        Path(arguments[arguments.index("--output") + 1]).write_bytes(pem)
        return 0, "", ""

    def _docker(self, arguments: list[str], env: Mapping[str, str]) -> Answer:
        assert arguments[:2] == ["compose", "up"]
        compose = yaml.safe_load(Path("docker-compose.yml").read_text("utf-8"))
        assert env["POSTGRES_PASSWORD"]
        for name in ("server.crt", "server.key"):
            assert Path("certificates", name).is_file()
            assert f"/certificates/{name}" in compose["services"]["postgres"]["entrypoint"][2]
        return 0, "", ""

    def _psql(self, arguments: list[str], env: Mapping[str, str]) -> Answer:
        server = self.world.server
        conninfo, statement = arguments[0], arguments[arguments.index("-c") + 1]
        conninfo = conninfo.replace(f"port={TUNNEL}", f"port={self._port}")
        passwords = {USER: PASSWORD, server.user: server.password}
        if "pg_reload_conf" in statement:
            server.use_tls(self.files())
        where = {
            "PGHOSTADDR": server.host,
            "PGPORT": self._port,
            "PGPASSWORD": next(p for u, p in passwords.items() if f"user={u} " in f"{conninfo} "),
        }
        if shutil.which("psql"):
            return _real("psql", [conninfo, *arguments[1:]], {**env, **where})
        try:  # the same library, where the program is not installed
            known: dict[str, Any] = {k.removeprefix("PG").lower(): v for k, v in where.items()}
            whole = make_conninfo(**(known | conninfo_to_dict(conninfo)))
            with psycopg.connect(whole) as connection:
                return 0, f"{connection.execute(statement.encode()).fetchall()}\n", ""
        except psycopg.Error as error:
            return 2, "", str(error)

    def _certifier(self, arguments: list[str], env: Mapping[str, str]) -> Answer:
        command, *rest = arguments
        if command == "certify":
            self._put_material()
        more = {
            "probe": ["--address", self.world.server.host, "--port", self._port],
            "discover": ["--region", self.world.cloud.region],
            "certify": ["--region", self.world.cloud.region, "--stack", STACK],
            "status": ["--region", self.world.cloud.region, "--stack", STACK],
        }
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main([command, *rest, *more.get(command, [])])
        self.printed += out.getvalue()
        return status, out.getvalue(), err.getvalue()

    def _aws(self, arguments: list[str], env: Mapping[str, str]) -> Answer:
        if arguments[1] == "wait":
            return self._waited(arguments)
        answer = self._account.run(arguments)
        self.world.cloud.clock.advance(seconds=5)  # DMS takes its time, and a person reads
        return 0, f"{answer if isinstance(answer, str) else json.dumps(answer, default=str)}\n", ""

    def _waited(self, arguments: list[str]) -> Answer:
        name = arguments[2].replace("-", "_")
        client = self.world.cloud.client(arguments[0])
        assert name in client.waiter_names
        (key, value) = arguments[arguments.index("--filters") + 1].split(",")
        filters = [{"Name": key.partition("=")[2], "Values": [value.partition("=")[2]]}]
        self.world.cloud.clock.advance(minutes=1)
        client.get_waiter(name).wait(Filters=filters, WaiterConfig={"Delay": 1, "MaxAttempts": 5})
        return 0, "", ""

    def _put_material(self) -> None:
        """What "Put the material where Certifier reads it" asks for: the pair that is served."""
        pair = self.files()
        value = {
            "certificate": pair.fullchain_pem.decode(),
            "private_key": pair.key_pem.decode(),
            "ca": (self.folder / "certificates/root.crt").read_text(),
        }
        self.world.cloud.put_secret(PAIR, value)

    # -- what the guide's blocks have made

    def files(self) -> TlsFiles:
        """The certificate and key in the data directory."""
        return TlsFiles(
            (self.data / "server.crt").read_bytes(), (self.data / "server.key").read_bytes()
        )


def _real(program: str, arguments: Sequence[str], env: Mapping[str, str]) -> Answer:
    done = subprocess.run(
        [shutil.which(program) or program, *arguments],
        env={**env, "PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A world in which nobody has done anything yet."""
    folder = tmp_path_factory.mktemp("guide")
    with World.start() as world, pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("COLUMNS", "200")
        world.server.execute("CREATE DATABASE orders")
        _prepare(world, folder)
        yield Reader(world, folder)


def _prepare(world: World, folder: Path) -> None:
    """What the guide takes for granted: a secret's text, a source, databases in RDS, the clone."""
    (folder / "data").mkdir()
    shutil.copytree(ROOT / "examples", folder / "examples")
    secret = {"username": USER, "password": PASSWORD, "host": HOST, "port": world.server.port}
    (folder / "orders-secret.json").write_text(json.dumps(secret))
    rds = world.cloud.client("rds")
    rds.create_db_parameter_group(
        DBParameterGroupName="orders", DBParameterGroupFamily="postgres17", Description="orders"
    )
    rds.create_db_instance(
        DBInstanceIdentifier="orders", DBInstanceClass="db.m5.large", Engine="postgres"
    )


@contextlib.contextmanager
def path_of(reader: Reader) -> Iterator[Path]:
    """A folder of programs that hand their arguments over to the reader."""

    class Bridge(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                answer: Answer = reader.run(*call)
            except Exception as error:  # noqa: BLE001 - shown where the script ends
                answer = (97, "", f"{call[0]} {call[1]}: {type(error).__name__}: {error}\n")
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    folder = reader.folder / "bin"
    folder.mkdir(exist_ok=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), Bridge) as server:
        for program in PROGRAMS:
            (folder / program).write_text(
                SHIM.format(python=sys.executable, port=server.server_port)
            )
        (folder / "openssl").write_text(
            OPENSSL.format(
                openssl=shutil.which("openssl"),
                host=HOST,
                address=f"{reader.world.server.host}:{reader.world.server.port}",
            )
        )
        for program in (*PROGRAMS, "openssl"):
            (folder / program).chmod(0o755)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield folder
        finally:
            server.shutdown()
            thread.join()


def script() -> str:
    """The shell blocks of the guide as one script, each from the same folder.

    A line of a block that is marked ``fails`` must fail. Where SQL reloads the server, it is
    reloaded; all SQL has a test of its own.
    """
    parts = ["set -euo pipefail"]
    for number, (language, more, body) in enumerate(fences(TEXT), 1):
        parts.append(f'cd "$HOME"\necho "== block {number}"')
        if language == "sh" and more == "fails":
            passed = f"echo 'this passed, in block {number}' >&2; exit 98"
            parts += [f"if {line}; then {passed}; fi" for line in body.splitlines()]
        elif language == "sh":
            parts.append(body)
        elif language == "sql" and "pg_reload_conf" in body:
            parts.append(f"psql 'host={HOST} user=postgres' -c 'SELECT pg_reload_conf()'")
    return "\n".join(parts) + "\n"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the guide uses openssl")
@pytest.mark.timeout(300)
def test_every_command_of_the_guide_works(reader: Reader) -> None:
    """From the first certificate to a certified source, all in one go."""
    world = reader.world
    source = json.loads(blocks(TEXT, "json")[0])
    source |= {
        "port": world.server.port,
        "credentials": world.arn("dms/orders"),
        "server_certificate": world.arn(PAIR),
    }
    (reader.folder / "orders.json").write_text(json.dumps(source))
    with path_of(reader) as programs:
        env = {
            **preloaded(),
            "HOME": str(reader.folder),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PGDATA": str(reader.data),
            "INSTANCE": world.instance,
            "ROLE": "arn:aws:iam::123456789012:role/dms-reads-secrets",
        }
        done = subprocess.run(
            ["bash", "-c", script()],
            env=env,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    assert world.outcome("orders") == "certified"
    assert {call[0] for call in reader.calls} == set(PROGRAMS)
    for command, lines in transcripts(read(ROOT / "README.md")):
        if command.split()[1] in ("certify", "status"):
            assert missing(lines, reader.printed) == [], command


def test_the_settings_of_the_guide_are_taken_by_postgresql(reader: Reader) -> None:
    """postgresql.conf and pg_hba.conf, as they stand."""
    server = reader.world.server
    (settings,) = blocks(TEXT, "ini")
    pairs = (line.split(" = ") for line in settings.splitlines())
    server.configure({name: value.strip("'") for name, value in pairs})
    (hba,) = blocks(TEXT, "conf")
    server.set_hba(hba.splitlines())
    assert server.execute("SELECT 1 FROM pg_file_settings WHERE error IS NOT NULL") == []


def test_every_statement_of_the_guide_runs(reader: Reader) -> None:
    """Each one by itself, on a server with TLS; the runbook's too."""
    texts = (TEXT, read(ROOT / "docs/operate/runbook.md"))
    statements = [
        part.strip() for text in texts for block in blocks(text, "sql") for part in block.split(";")
    ]
    answers = {text: reader.world.server.execute(text) for text in statements if text}
    assert answers["SHOW ssl"] == [("on",)]
    assert len(answers) >= 7


def test_the_excerpt_of_the_compose_file_is_what_the_example_has(reader: Reader) -> None:
    """Everything in it stands in examples/postgresql-tls/docker-compose.yml too."""
    (excerpt,) = blocks(TEXT, "yaml")
    example = (ROOT / "examples/postgresql-tls/docker-compose.yml").read_text("utf-8")
    shown = yaml.safe_load(excerpt)["services"]["postgres"]
    whole = yaml.safe_load(example)["services"]["postgres"]
    assert shown["image"] == whole["image"]
    assert shown["command"] == whole["command"]
    assert set(shown["volumes"]) <= set(whole["volumes"])
