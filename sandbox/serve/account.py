"""The served account: a world that HTTP and ``python -m sandbox do`` reach, and its folder."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto.core.models import botocore_stubber

from sandbox import acts
from sandbox.aws.clock import RunningClock
from sandbox.aws.cloud import TICK_MINUTES, Cloud
from sandbox.pki import Authority
from sandbox.postgres import Access, Postgres
from sandbox.serve.alarms import add_alarms
from sandbox.serve.estate import seed, source_file
from sandbox.serve.folder import WRONG_USAGE
from sandbox.serve.schedule import add_schedule, is_enabled
from sandbox.serve.wire import Asked, NotServed
from sandbox.world import NAME, PASSWORD, USER, World

HOST = "localhost"
STACK = "Certifier"
"""The name that the command line looks for."""
_LABEL_MOVERS = ("PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage", "RotateSecret")
_OPEN_SECONDS = 300.0

Ready = Callable[[World, bool], None]
"""Called with each world that is open, and whether another one was before it."""


@dataclass(frozen=True)
class Options:
    """How an account is served: its clock's seconds in a real one, and the size of its fleet."""

    speed: float
    sources: int
    major: int = 17


class Account:
    """One world after another, until the end; a reset begins the next one.

    HTTP asks it to :meth:`answer` calls of AWS and to :meth:`control` the world.
    """

    def __init__(self, options: Options, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self._world: World | None = None
        self._changed = threading.Condition()
        self._under_way = 0
        self._over = False
        self._resets = 0
        self._begun = 0

    # ------------------------------------------------------------------ beginning and end

    def run(self, ready: Ready) -> None:
        """Open a world, and the next one after each reset, until :meth:`end`."""
        while not self._over:
            with self._opened() as world:
                (self.folder / f"{NAME}.json").write_text(source_file(world), "utf-8")
                with self._changed:
                    self._begun = self._resets
                    self._world = world
                    self._changed.notify_all()
                ready(world, self._begun > 0)
                with self._changed:
                    while not self._changed.wait_for(lambda: self._next, self._tick_seconds):
                        self._tick(world)
                    self._world = None
                    self._changed.wait_for(lambda: not self._under_way, 10)

    def end(self) -> None:
        """End the world that is open, and open no other."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    @property
    def _next(self) -> bool:
        """Whether the world that is open is to end."""
        return self._over or self._resets != self._begun

    @property
    def is_open(self) -> bool:
        """Whether calls are answered."""
        return self._world is not None

    @property
    def _tick_seconds(self) -> float:
        return TICK_MINUTES * 60 / self.options.speed

    @staticmethod
    def _tick(world: World) -> None:
        """Start the machine as the schedule does, while it is enabled; nobody waits for it."""
        if is_enabled(world.cloud, STACK):
            world.cloud.tick(minutes=0, wait=False)

    @contextmanager
    def _opened(self) -> Iterator[World]:
        authority = Authority.root("Orders CA 1")
        leaf = authority.issue(dns=(HOST,))
        clock = RunningClock(speed=self.options.speed)
        with ExitStack() as stack:
            server = stack.enter_context(
                Postgres.start(
                    major=self.options.major,
                    tls=leaf,
                    hba=Access.ANY,
                    users={USER: PASSWORD},
                    settings={"max_connections": "100"},
                )
            )
            cloud = stack.enter_context(
                Cloud.start(
                    hosts={HOST: server.host}, clock=clock, call_seconds=0, stack_name=STACK
                )
            )
            stack.callback(clock.end)
            add_schedule(cloud, STACK)
            add_alarms(cloud, STACK)
            world = World(cloud, server, authority, leaf, HOST)
            world.put_credentials()
            world.put_pair()
            with clock.skipping():
                seed(world, self.options.sources)
            yield world

    # ------------------------------------------------------------------ what HTTP asks for

    @contextmanager
    def _open(self) -> Iterator[World]:
        """The world that is open, which stays open meanwhile.

        Raises:
            NotServed: none is, at the moment.
        """
        with self._changed:
            world = self._world
            if world is None:
                raise NotServed(503, "ServiceUnavailable", "the account is being opened")
            self._under_way += 1
        try:
            yield world
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def answer(self, what: Asked, request: AWSPreparedRequest) -> AWSResponse | None:
        """Answer one call of AWS; None when there is no answer to it."""
        with self._open() as world:
            secret = _secret(what, request)
            if secret is None:
                return botocore_stubber(what.event, request)
            before = _current(world.cloud, secret)
            answer = botocore_stubber(what.event, request)
            if _current(world.cloud, secret) not in (before, None):
                world.cloud.emit_secret_label(secret, wait=False)
            return answer

    def now(self) -> datetime:
        """What time it is in the world that is open; the machine's time while none is."""
        world = self._world
        return datetime.now(UTC) if world is None else world.cloud.clock.now()

    def control(self, word: str, given: Mapping[str, Any]) -> Any:
        """Answer ``python -m sandbox do``, ``mail`` and ``reset``.

        Raises:
            NotServed: what was typed is not an act.
            ValueError: it asks for what there is not.
        """
        match word:
            case "do":
                return self._do(tuple(str(each) for each in given.get("words", ())))
            case "mail":
                with self._open() as world:
                    return world.cloud.notices
            case "reset":
                return self._reset()
        raise ValueError(f"there is no {word!r}")

    def _do(self, words: tuple[str, ...]) -> str:
        try:
            chosen = acts.Asked.of(words)
            with self._open() as world:
                return chosen.act(world, *chosen.arguments, wait=chosen.act is acts.tick)
        except acts.WrongUsage as wrong:
            raise NotServed(400, WRONG_USAGE, str(wrong)) from None

    def _reset(self) -> str:
        with self._changed:
            if self._world is None:
                raise NotServed(503, "ServiceUnavailable", "the account is being opened")
            before = self._world
            self._resets += 1
            self._changed.notify_all()
            opened = self._changed.wait_for(
                lambda: self._over or self._world not in (None, before), _OPEN_SECONDS
            )
        if not opened or self._over:
            raise NotServed(503, "ServiceUnavailable", "the account could not be opened again")
        return "the account is as it was at first"


def _secret(what: Asked, request: AWSPreparedRequest) -> str | None:
    """The secret whose current version the call may replace."""
    if what.service != "secretsmanager" or what.operation not in _LABEL_MOVERS:
        return None
    try:
        body: Any = request.body
        given = json.loads(body or b"{}")
    except ValueError:
        return None
    named = given.get("SecretId") if isinstance(given, dict) else None
    return named if isinstance(named, str) else None


def _current(cloud: Cloud, secret: str) -> str | None:
    client = cloud.client("secretsmanager")
    try:
        versions = client.describe_secret(SecretId=secret).get("VersionIdsToStages", {})
    except client.exceptions.ClientError:
        return None
    return next((each for each, stages in versions.items() if "AWSCURRENT" in stages), None)
