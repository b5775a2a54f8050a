"""Real poolers and proxies in front of a real PostgreSQL: the exact findings for each.

Skipped, with the reason, where a program is neither installed nor in the package registry.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from certifier.probe import AddressPolicy, ProbeReport, ProbeRequest, probe
from certifier.vocabulary import Cause, Stage
from sandbox.libpq import refusal
from sandbox.pki import Authority
from sandbox.postgres import Postgres
from tests.probe.proxies import find, free_port, running

_HOST = "db.example.com"
_ROOT = Authority.root("Example root")
_LEAF = _ROOT.issue(dns=[_HOST])
_PASSWORD = "a password"
_MODULES = "usr/lib/nginx/modules/ngx_stream_module.so"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """Behind all of them; it has TLS of its own, and takes plain text too."""
    hba = ["host all all all scram-sha-256"]
    users = {"app": _PASSWORD}
    with Postgres.start(tls=_LEAF, hba=hba, users=users, databases=("orders",)) as server:
        yield server


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Certificate and key in the forms that they take, for every user to read."""
    files = {
        "chain.pem": _LEAF.fullchain_pem,
        "key.pem": _LEAF.key_pem,
        "both.pem": _LEAF.fullchain_pem + _LEAF.key_pem,
        "users": f'"app" "{_PASSWORD}"\n"admin" "{_PASSWORD}"\n'.encode(),
    }
    with tempfile.TemporaryDirectory(prefix="proxies-") as name:
        made = Path(name)
        for file, content in files.items():
            (made / file).write_bytes(content)
            (made / file).chmod(0o644)
        made.chmod(0o755)
        yield made


def look(port: int, **more: Any) -> ProbeReport:
    usual: dict[str, Any] = {
        "user": "app",
        "database": "orders",
        "password": lambda: _PASSWORD,
        "ca_bundle": _ROOT.certificate_pem,
    }
    policy = AddressPolicy.anywhere()
    return probe(
        ProbeRequest(_HOST, port=port, address="127.0.0.1", policy=policy, **{**usual, **more})
    )


def said(report: ProbeReport) -> list[tuple[Cause, Stage | None]]:
    return [(one.cause, one.stage) for one in report.findings]


def same_process(report: ProbeReport) -> bool | None:
    assert report.evidence.login is not None
    return report.evidence.login.same_process


# ---- PgBouncer


def _bouncer(folder: Path, port: int, behind: int, mode: str) -> list[str | Path]:
    file = folder / f"bouncer-{port}.ini"
    file.write_text(
        f"""
[databases]
orders = host=127.0.0.1 port={behind} dbname=orders
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
admin_users = admin
client_tls_sslmode = {mode}
client_tls_cert_file = {folder}/chain.pem
client_tls_key_file = {folder}/key.pem
server_tls_sslmode = disable
"""
    )
    another_user = ["-u", "nobody"] if os.geteuid() == 0 else []
    return [find("pgbouncer"), *another_user, file]


def test_pgbouncer_ends_tls(postgres: Postgres, folder: Path) -> None:
    """The login works, through a pooler; the query came along with the last answer of SCRAM."""
    port = free_port()
    with running(_bouncer(folder, port, postgres.port, "require"), port, name="pgbouncer"):
        report = look(port)
        wrong = look(port, password=lambda: "not that")
        unknown = look(port, database="nope")
        console = look(port, user="admin", database="pgbouncer")
    assert report.passed
    assert said(report) == [(Cause.TLS_ENDS_AT_PROXY, Stage.QUERY)]
    assert same_process(report) is False
    assert "does not work through a pooler" in report.findings[0].remedy
    assert said(wrong) == [(Cause.PASSWORD_REJECTED, Stage.LOGIN)]
    assert said(unknown) == [(Cause.POOLER_REJECTED, Stage.LOGIN)]
    assert said(console) == [(Cause.CONNECTION_RESET, Stage.QUERY)]
    assert "name the real database" in console.findings[0].remedy
    assert console.evidence.login is not None
    assert (console.evidence.login.server_version or "").endswith("/bouncer")


def test_pgbouncer_without_tls(postgres: Postgres, folder: Path) -> None:
    """It says no like PostgreSQL does, and the remedy names its settings too."""
    port = free_port()
    with running(_bouncer(folder, port, postgres.port, "disable"), port, name="pgbouncer"):
        report = look(port)
    assert said(report) == [(Cause.SSL_OFF, Stage.SSL_REQUEST)]
    assert "client_tls_sslmode" in report.findings[0].remedy


# ---- pgpool


def _pgpool(folder: Path, port: int, behind: int, more: str = "") -> list[str | Path]:
    program = find("pgpool")
    own = folder / f"pgpool-{port}"
    own.mkdir()
    own.chmod(0o777)
    files = {
        "pgpool.conf": f"""
listen_addresses = '127.0.0.1'
port = {port}
socket_dir = '{own}'
unix_socket_directories = '{own}'
pcp_socket_dir = '{own}'
pcp_port = {free_port()}
logdir = '{own}'
pid_file_name = '{own}/pgpool.pid'
backend_clustering_mode = 'raw'
backend_hostname0 = '127.0.0.1'
backend_port0 = {behind}
num_init_children = 2
memqcache_total_size = 1MB
enable_pool_hba = on
pool_passwd = 'pool_passwd'
{more}
""",
        "pool_hba.conf": "host all all all scram-sha-256\n",
        "pool_passwd": f"app:TEXT{_PASSWORD}\n",
        "pcp.conf": "",
    }
    for name, content in files.items():
        (own / name).write_text(content)
    another_user = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    return [*another_user, program, "-n", "-f", own / "pgpool.conf", "-a", own / "pool_hba.conf"]


def _with_tls(folder: Path) -> str:
    return f"ssl = on\nssl_cert = '{folder}/chain.pem'\nssl_key = '{folder}/key.pem'"


def test_pgpool_ends_tls(postgres: Postgres, folder: Path) -> None:
    """The login works, through a pooler that has TLS like ours towards the server too."""
    port = free_port()
    command = _pgpool(folder, port, postgres.port, _with_tls(folder))
    with running(command, port, name="pgpool"):
        report = look(port)
        wrong = look(port, password=lambda: "not that")
        unknown = look(port, database="nope")
    assert report.passed
    assert said(report) == [(Cause.TLS_ENDS_AT_PROXY, Stage.QUERY)]
    assert "without channel binding" in report.findings[0].seen
    assert "does not work through a pooler" in report.findings[0].remedy
    assert said(wrong) == [(Cause.PASSWORD_REJECTED, Stage.LOGIN)]
    assert "pool_passwd" in wrong.findings[0].remedy
    assert said(unknown) == [(Cause.DATABASE_MISSING, Stage.LOGIN)]


def test_pgpool_passes_on_the_process_and_is_a_pooler_all_the_same(folder: Path) -> None:
    """It knows a command of its own, which a tunnel does not."""
    port = free_port()
    hba = ["host all all all scram-sha-256"]
    with Postgres.start(hba=hba, users={"app": _PASSWORD}, databases=("orders",)) as plain:
        command = _pgpool(folder, port, plain.port, _with_tls(folder))
        with running(command, port, name="pgpool"):
            report = look(port)
    assert said(report) == [(Cause.TLS_ENDS_AT_PROXY, Stage.QUERY)]
    assert same_process(report) is True
    assert "pgpool answers for it, a pooler" in report.findings[0].seen
    assert "does not work through a pooler" in report.findings[0].remedy


def test_pgpool_without_tls(postgres: Postgres, folder: Path) -> None:
    """It says no like PostgreSQL does, and the remedy names its settings too."""
    port = free_port()
    with running(_pgpool(folder, port, postgres.port), port, name="pgpool"):
        report = look(port)
    assert said(report) == [(Cause.SSL_OFF, Stage.SSL_REQUEST)]
    assert "in pgpool: ssl = on" in report.findings[0].remedy


# ---- stunnel


def _stunnel(folder: Path, port: int, behind: int, more: str = "") -> list[str | Path]:
    file = folder / f"stunnel-{port}.conf"
    file.write_text(
        f"""
foreground = yes
pid =
syslog = no
[postgresql]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{behind}
cert = {folder}/chain.pem
key = {folder}/key.pem
{more}
"""
    )
    return [find("stunnel4"), file]


def test_stunnel_that_knows_the_protocol_is_a_tunnel(postgres: Postgres, folder: Path) -> None:
    """TLS ends there, and the session behind it is ours alone: change data capture works."""
    port = free_port()
    command = _stunnel(folder, port, postgres.port, "protocol = pgsql")
    with running(command, port, name="stunnel4"):
        report = look(port)
    assert report.passed
    assert said(report) == [(Cause.TLS_ENDS_AT_PROXY, Stage.QUERY)]
    assert same_process(report) is True
    assert "Change data capture works" in report.findings[0].remedy


def test_stunnel_that_does_not_know_the_protocol(postgres: Postgres, folder: Path) -> None:
    """It wants TLS at once."""
    port = free_port()
    with running(_stunnel(folder, port, postgres.port), port, name="stunnel4"):
        report = look(port)
    assert said(report) == [(Cause.DIRECT_TLS_ONLY, Stage.SSL_REQUEST)]
    assert "protocol = pgsql" in report.findings[0].remedy


# ---- HAProxy


def _haproxy(folder: Path, port: int, behind: int, bind: str = "") -> list[str | Path]:
    file = folder / f"haproxy-{port}.cfg"
    file.write_text(
        f"""
defaults
    mode tcp
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend postgresql
    bind 127.0.0.1:{port} {bind}
    default_backend servers
backend servers
    server one 127.0.0.1:{behind}
"""
    )
    return [find("haproxy"), "-db", "-f", file]


def test_haproxy_that_passes_all_through_is_not_noticed(postgres: Postgres, folder: Path) -> None:
    """TLS is PostgreSQL's own, down to the binding of the channel."""
    port = free_port()
    with running(_haproxy(folder, port, postgres.port), port, name="haproxy"):
        report = look(port)
    assert report.passed
    assert said(report) == []
    assert report.evidence.login is not None
    assert report.evidence.login.channel_binding


def test_haproxy_that_ends_tls_wants_it_at_once(postgres: Postgres, folder: Path) -> None:
    """DMS cannot connect to it; a libpq of today can, if asked to."""
    port = free_port()
    bind = f"ssl crt {folder}/both.pem alpn postgresql"
    with running(_haproxy(folder, port, postgres.port, bind), port, name="haproxy"):
        report = look(port)
        direct = look(port, negotiation="direct")
        libpq = refusal(
            18,
            {
                "host": _HOST,
                "hostaddr": "127.0.0.1",
                "port": port,
                "user": "app",
                "password": _PASSWORD,
                "dbname": "orders",
                "sslmode": "require",
                "sslnegotiation": "direct",
            },
        )
    assert said(report) == [(Cause.DIRECT_TLS_ONLY, Stage.SSL_REQUEST)]
    assert "HAProxy" in report.findings[0].remedy
    assert direct.passed
    assert libpq == ""
    assert said(direct) == [
        (Cause.CLIENT_READING_DIFFERS, Stage.TLS),
        (Cause.TLS_ENDS_AT_PROXY, Stage.QUERY),
    ]
    assert same_process(direct) is True


# ---- nginx


def _nginx(folder: Path, port: int, behind: int, more: str = "") -> list[str | Path]:
    program = find("nginx")
    module = next(iter(program.parents[2].glob(_MODULES)), None)
    load = f"load_module {module};" if module else ""
    file = folder / f"nginx-{port}.conf"
    secure = f"ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem;"
    file.write_text(
        f"""
{load}
daemon off;
master_process off;
pid {folder}/nginx-{port}.pid;
error_log stderr;
events {{}}
stream {{
    server {{
        listen 127.0.0.1:{port} {more};
        {secure if more else ""}
        proxy_pass 127.0.0.1:{behind};
    }}
}}
"""
    )
    return [program, "-p", folder, "-c", file]


@pytest.mark.parametrize(
    ("more", "findings"), [("", []), ("ssl", [(Cause.DIRECT_TLS_ONLY, Stage.SSL_REQUEST)])]
)
def test_nginx_passes_through_or_wants_tls_at_once(
    postgres: Postgres, folder: Path, more: str, findings: list[tuple[Cause, Stage]]
) -> None:
    """It has no word of PostgreSQL's protocol."""
    port = free_port()
    with running(_nginx(folder, port, postgres.port, more), port, name="nginx"):
        report = look(port)
    assert said(report) == findings
    assert report.passed == (not findings)
