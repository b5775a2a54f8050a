"""What a probe costs: processor time and memory, measured in a process that does nothing else.

    with Meter() as meter:
        cost = meter.probe(port)

The process imports the probe once, and forks for each measurement: what a fork uses beyond what it
began with is what that probe cost. Servers run in the caller, so that their work is not counted.
"""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

HOST = "db.example.com"
USER, PASSWORD = "u", "a password"
PROCESSOR = 0.5  # seconds that any server may cost
MEMORY = 64 * 1024 * 1024  # bytes, above the idle process
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Cost:
    """What one probe took, and what came of it.

    Attributes:
        processor: seconds of processor time, the system's included.
        memory: bytes above the idle process at the highest; 0 where the system does not tell.
        wall: seconds.
        ended: ``pass``, the first cause, or the type of an exception.
    """

    processor: float
    memory: int
    wall: float
    ended: str


class Meter:
    """The measuring process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.probe.cost"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=_ROOT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def probe(self, port: int, *, ca: bytes, seconds: float = 3.0, **more: Any) -> Cost:
        """Probe 127.0.0.1 under the name `HOST`; `more` are fields of the request."""
        asked = {"port": port, "ca": ca.decode(), "timeout": seconds, **more}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Cost(**json.loads(self._process.stdout.readline()))


# ---- inside the measuring process


def _memory(field: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _probe(asked: dict[str, Any]) -> str:
    from certifier.probe import AddressPolicy, ProbeReport, ProbeRequest, probe
    from certifier.vocabulary import SslMode

    ca = asked.pop("ca").encode()
    mode = SslMode(asked.pop("ssl_mode", "verify-full"))
    request = ProbeRequest(
        HOST,
        address="127.0.0.1",
        user=asked.pop("user", USER),
        database="d",
        password=lambda: PASSWORD,
        ca_bundle=ca,
        ssl_mode=mode,
        policy=AddressPolicy.anywhere(),
        **asked,
    )
    try:
        report = probe(request)
        assert ProbeReport.model_validate_json(report.model_dump_json()) == report
    except BaseException as error:  # noqa: BLE001 - reported to the other side
        return f"{type(error).__name__}"
    return "pass" if report.passed else report.findings[0].cause.value


def _measured(asked: dict[str, Any]) -> Cost:
    idle, processor, begin = _memory("VmRSS"), _processor(), time.monotonic()
    ended = _probe(asked)
    wall, spent = time.monotonic() - begin, _processor() - processor
    return Cost(spent, max(_memory("VmHWM") - idle, 0), wall, ended)


def _in_a_fork(asked: dict[str, Any]) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, json.dumps(asdict(_measured(asked))).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


def _serve() -> None:
    """Load what a probe loads, then measure for each line on standard input."""
    from sandbox.pki import Authority
    from tests.probe.fakes import READY, Fake, authentication, message, scripted_login

    root = Authority.root("Example root")
    script = scripted_login(
        root.issue(dns=[HOST]), authentication(0) + READY, message(b"I") + READY
    )
    with Fake(script) as fake:
        _probe({"port": fake.port, "ca": root.certificate_pem.decode()})
    for line in sys.stdin:
        print(_in_a_fork(json.loads(line)), flush=True)


if __name__ == "__main__":
    _serve()
