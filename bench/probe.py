"""The probe beside its peers: one server, one run, the same job for each as far as it can do it.

    python -m bench.probe [--rounds N]

The job: connect to `localhost`, verify chain and host name, log in with SCRAM, run the probe's
query, close. sslyze and openssl do not speak SQL: they do the TLS part. Rounds are interleaved, so
that all meet the same machine; medians count. The second table is behind a relay that adds 20 ms
each way; the relay also counts connections and round trips (a burst of the client that the server
answered, and one for TCP).

asyncpg and sslyze live in `.venv-bench` (bench/requirements.txt), and are timed there in a process
of their own, without its start.

Two more tables: what the good case costs in processor time and memory, and what each hostile server
of ``tests.probe.hostile`` does. Exit status 1 when the probe takes more than 1.1 times libpq, or a
hostile server more than its bounds.
"""

import argparse
import asyncio
import json
import queue
import random
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_BENCH_PYTHON = _ROOT / ".venv-bench" / "bin" / "python"
_LIMIT = 1.1
_DELAY = 0.02
_HOST = "localhost"
_READER = "reader"
# Measured in every n-th round; the two that the bound compares are measured in each.
_EVERY = {
    "sslyze certificate scan": 12,
    "openssl s_client": 4,
    "pg8000, plain": 4,
    "asyncpg": 2,
}


@dataclass(frozen=True)
class Target:
    """Where to connect, and as whom."""

    port: int
    user: str
    password: str
    ca_file: str
    query: str


Client = Callable[[Target], None]


# ---- the clients


def _probe(target: Target) -> None:
    from certifier.probe import AddressPolicy, ProbeRequest, probe

    report = probe(
        ProbeRequest(
            _HOST,
            port=target.port,
            user=target.user,
            password=lambda: target.password,
            database="postgres",
            ca_bundle=Path(target.ca_file).read_bytes(),
            policy=AddressPolicy.anywhere(),
        )
    )
    assert report.passed, report.findings


def _psycopg(target: Target) -> None:
    import psycopg

    with psycopg.connect(
        host=_HOST,
        port=target.port,
        user=target.user,
        password=target.password,
        dbname="postgres",
        sslmode="verify-full",
        sslrootcert=target.ca_file,
        autocommit=True,
    ) as connection:
        assert connection.execute(target.query.encode()).fetchall()


def _pg8000(target: Target) -> None:
    import pg8000.native

    connection = pg8000.native.Connection(
        target.user,
        host=_HOST,
        port=target.port,
        password=target.password,
        database="postgres",
        ssl_context=_context(target),
    )
    assert connection.run(target.query)
    connection.close()


def _context(target: Target) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=target.ca_file)
    context.set_alpn_protocols(["postgresql"])
    return context


def _openssl(target: Target) -> None:
    command = (
        f"openssl s_client -connect {_HOST}:{target.port} -starttls postgres -brief"
        f" -alpn postgresql -CAfile {target.ca_file} -verify_return_error -verify_hostname {_HOST}"
    )
    subprocess.run(
        command.split(), stdin=subprocess.DEVNULL, check=True, capture_output=True, timeout=30
    )


def _asyncpg(target: Target) -> None:
    import asyncpg  # type: ignore[import-not-found,unused-ignore]

    async def run() -> None:
        connection = await asyncpg.connect(
            host=_HOST,
            port=target.port,
            user=target.user,
            password=target.password,
            database="postgres",
            ssl=_context(target),
        )
        assert await connection.fetch(target.query)
        await connection.close()

    asyncio.run(run())


def _sslyze(target: Target) -> None:
    from sslyze import (  # type: ignore[import-not-found,unused-ignore]
        ProtocolWithOpportunisticTlsEnum,
        ScanCommand,
        Scanner,
        ServerNetworkConfiguration,
        ServerNetworkLocation,
        ServerScanRequest,
    )

    scanner = Scanner()
    scanner.queue_scans(
        [
            ServerScanRequest(
                ServerNetworkLocation(_HOST, target.port, ip_address="127.0.0.1"),
                network_configuration=ServerNetworkConfiguration(
                    tls_server_name_indication=_HOST,
                    tls_opportunistic_encryption=ProtocolWithOpportunisticTlsEnum.POSTGRES,
                ),
                scan_commands={ScanCommand.CERTIFICATE_INFO},
            )
        ]
    )
    assert all(result.scan_result for result in scanner.get_results())


_HERE: dict[str, Client] = {
    "certifier probe": _probe,
    "psycopg (libpq)": _psycopg,
    "pg8000, plain": _pg8000,
    "openssl s_client": _openssl,
}
_THERE: dict[str, Client] = {"asyncpg": _asyncpg, "sslyze certificate scan": _sslyze}


# ---- the other environment


def serve_peers() -> None:
    """In `.venv-bench`: time a peer for each line on standard input."""
    for line in sys.stdin:
        asked = json.loads(line)
        target = Target(**asked["target"])
        try:
            seconds: float | str = _timed(_THERE[asked["client"]], target)
        except Exception as error:  # noqa: BLE001 - passed to the other side
            seconds = f"{type(error).__name__}: {error}"
        print(json.dumps(seconds), flush=True)


@contextmanager
def _peers() -> Iterator[dict[str, Callable[[Target], float]]]:
    """The clients of the other environment; none when it has not been made."""
    if not _BENCH_PYTHON.exists():
        print("asyncpg and sslyze are left out: no .venv-bench (see bench/requirements.txt)")
        yield {}
        return
    with subprocess.Popen(
        [str(_BENCH_PYTHON), "-W", "ignore", str(Path(__file__)), "--serve-peers"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asking, answering = process.stdin, process.stdout

        def ask(name: str, target: Target) -> float:
            asking.write(json.dumps({"client": name, "target": vars(target)}) + "\n")
            asking.flush()
            answer = json.loads(answering.readline())
            if isinstance(answer, str):
                raise RuntimeError(f"{name}: {answer}")  # noqa: TRY004 - it is the other's error
            return float(answer)

        yield {name: lambda target, name=name: ask(name, target) for name in _THERE}  # type: ignore[misc]
        process.stdin.close()
        process.wait(timeout=30)


def _timed(client: Client, target: Target) -> float:
    begin = time.perf_counter()
    client(target)
    return time.perf_counter() - begin


# ---- the relay


@dataclass
class Relay:
    """Forwards to `port`, each block `delay` seconds late; counts connections and round trips."""

    port: int
    delay: float
    connections: int = 0
    round_trips: int = 0
    _listener: socket.socket = field(default_factory=lambda: socket.create_server((_HOST, 0)))

    def __post_init__(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def listening(self) -> int:
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        self._listener.close()

    def reset(self) -> None:
        self.connections = self.round_trips = 0

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self.round_trips += 1  # that of TCP itself, which a relay on this machine cannot delay
            server = socket.create_connection((_HOST, self.port))
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            asked = threading.Event()
            for source, sink, is_client in ((client, server, True), (server, client, False)):
                threading.Thread(
                    target=self._pump, args=(source, sink, asked, is_client), daemon=True
                ).start()

    def _pump(
        self, source: socket.socket, sink: socket.socket, asked: threading.Event, is_client: bool
    ) -> None:
        blocks: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        threading.Thread(target=self._late, args=(blocks, sink), daemon=True).start()
        try:
            while block := source.recv(65536):
                if is_client:
                    asked.set()
                elif asked.is_set():
                    asked.clear()
                    self.round_trips += 1
                blocks.put((time.perf_counter() + self.delay, block))
        except OSError:
            pass
        blocks.put((time.perf_counter() + self.delay, b""))

    @staticmethod
    def _late(blocks: queue.SimpleQueue[tuple[float, bytes]], sink: socket.socket) -> None:
        while True:
            due, block = blocks.get()
            time.sleep(max(due - time.perf_counter(), 0))
            try:
                if not block:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(block)
            except OSError:
                return


# ---- measuring


@dataclass(frozen=True)
class Row:
    """A client's line. Seconds; the fewest counts of its runs, None where no relay counted."""

    name: str
    median: float
    slowest: float
    connections: int | None = None
    round_trips: int | None = None


def _measure(
    clients: dict[str, Callable[[Target], float]],
    target: Target,
    rounds: int,
    relay: Relay | None = None,
) -> list[Row]:
    """Run the clients round by round, in random order, after one run to warm up.

    What runs before a client leaves the processor's caches cold for it or warm, so nobody always
    follows the same one.
    """
    taken: dict[str, list[float]] = {name: [] for name in clients}
    counted: dict[str, tuple[int, int]] = {}
    names = list(clients)
    shuffled = random.Random(1)
    for number in range(-1, rounds):
        for name in shuffled.sample(names, len(names)):
            if number % _EVERY.get(name, 1) and number != -1:
                continue
            if relay:
                relay.reset()
            seconds = clients[name](target)
            if relay:
                seen = (relay.connections, relay.round_trips)
                counted[name] = min(counted.get(name, seen), seen)
            if number >= 0:
                taken[name].append(seconds)
    return [
        Row(name, statistics.median(taken[name]), max(taken[name]), *counted.get(name, ()))
        for name in names
    ]


def _print(title: str, rows: list[Row]) -> float:
    """Print a table; the probe's ratio to libpq."""
    base = next(row.median for row in rows if row.name.startswith("psycopg"))
    print(f"\n{title}")
    print(f"{'':26}{'median':>10}{'slowest':>10}{'x libpq':>9}{'conn.':>7}{'trips':>7}")
    for row in rows:
        counts = "".join(
            f"{'' if count is None else count:>7}" for count in (row.connections, row.round_trips)
        )
        print(
            f"{row.name:26}{row.median * 1000:>7.1f} ms{row.slowest * 1000:>7.1f} ms"
            f"{row.median / base:>9.2f}{counts}"
        )
    return rows[0].median / base


def _costs(port: int, ca: bytes) -> bool:
    """Print what the good case costs, and each hostile server; whether all keep their bounds."""
    from tests.probe.cost import MEMORY, PROCESSOR, Cost, Meter
    from tests.probe.fakes import Fake
    from tests.probe.hostile import ROOT, hostile_servers

    def show(name: str, cost: Cost) -> bool:
        kept = cost.processor < PROCESSOR and cost.memory < MEMORY
        print(
            f"{name:50}{cost.processor * 1000:>7.0f} ms{cost.memory / 2**20:>7.1f} MiB"
            f"{cost.wall:>7.2f} s  {cost.ended}{'' if kept else '  MISSED'}"
        )
        return kept

    print(
        f"\nProcessor time (at most {PROCESSOR * 1000:.0f} ms), and memory above the idle process"
    )
    print(f"(at most {MEMORY / 2**20:.0f} MiB), for any server\n")
    with Meter() as meter:
        kept = [show("a good PostgreSQL", meter.probe(port, ca=ca, user=_READER))]
        for server in hostile_servers():
            with Fake(server.script) as fake:
                cost = meter.probe(fake.port, ca=ROOT.certificate_pem, **server.asked)
            kept.append(show(server.name, cost))
    return all(kept)


def main() -> int:
    """Measure, print the tables, and say whether the bounds were kept."""
    parser = argparse.ArgumentParser(description="the probe beside its peers")
    parser.add_argument("--rounds", type=int, default=120)
    parser.add_argument("--serve-peers", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve_peers:
        serve_peers()
        return 0
    from certifier.probe.question import QUERY
    from sandbox.pki import Authority
    from sandbox.postgres import Postgres
    from tests.probe import cost

    root = Authority.root("Bench root")
    leaf = root.intermediate("Bench issuing CA").issue(dns=[_HOST, cost.HOST])
    with ExitStack() as stack:
        reader = {_READER: cost.PASSWORD}
        server = stack.enter_context(Postgres.start(tls=leaf, users=reader, databases=("d",)))
        ca_file = stack.enter_context(tempfile.NamedTemporaryFile(suffix=".pem"))
        ca_file.write(root.certificate_pem)
        ca_file.flush()
        here = {
            name: lambda target, client=client: _timed(client, target)
            for name, client in _HERE.items()
        }
        clients = here | stack.enter_context(_peers())
        target = Target(server.port, server.user, server.password, ca_file.name, QUERY)
        print(f"PostgreSQL {server.server_version}, Python {sys.version.split()[0]},")
        print(f"{ssl.OPENSSL_VERSION}, {args.rounds} rounds, one server, interleaved")
        ratio = _print("On this machine", _measure(clients, target, args.rounds))
        relay = Relay(server.port, _DELAY)
        stack.callback(relay.close)
        far = Target(relay.listening, server.user, server.password, ca_file.name, QUERY)
        rows = _measure(clients, far, max(args.rounds // 10, 2), relay)
        _print(f"Behind a relay that adds {_DELAY * 1000:.0f} ms each way", rows)
        bounded = _costs(server.port, root.certificate_pem)
    kept = ratio <= _LIMIT
    word = "kept" if kept else "MISSED"
    print(f"\nThe probe takes {ratio:.2f} x libpq; at most {_LIMIT} is {word}.")
    return 0 if kept and bounded else 1


if __name__ == "__main__":
    sys.exit(main())
