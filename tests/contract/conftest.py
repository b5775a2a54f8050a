"""A stand-in for the account of a smoke: the stand-ins in moto, a real PostgreSQL, no waiting."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
import pytest
from moto import mock_aws

from certifier.aws.clients import Clients
from certifier.aws.secrets import Secrets
from sandbox.acm import AcmStandIn, AcmSwitches
from sandbox.aws import fast
from sandbox.dms import BLACKHOLE, DmsStandIn, Switches
from sandbox.pki import Authority, self_signed
from sandbox.postgres import Access, Postgres
from smoke.account import Account, login_of
from smoke.book import Book
from smoke.request import Request, Server
from smoke.run import play

REGION = "eu-west-1"
HOST = "orders.db.example.com"
ALIAS = "alias.db.example.com"
ALONE = "alone.db.example.com"
SILENT = "silent.db.example.com"
USER = "smoke"
PASSWORD = "a-password-to-look-for"
ROOT = Authority.root("Smoke server root")
MIDDLE = ROOT.intermediate("Smoke server intermediate")
LEAF = MIDDLE.issue([HOST])
SELF = self_signed([ALONE])
START = datetime.now(UTC).timestamp()


class Time:
    """Time that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> float:
        return START + self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds


@dataclass
class Ground:
    """An account and what plays it."""

    account: Account
    dms: DmsStandIn
    acm: AcmStandIn
    time: Time
    session: boto3.Session

    @property
    def is_empty(self) -> bool:
        """Whether nothing that a smoke makes is there."""
        made = self.dms.endpoints(), self.dms.certificates(), self.dms.tasks()
        return not any(made) and not self.acm.certificates()


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """The PostgreSQL that DMS reaches; its certificate has an intermediate."""
    with Postgres.start(tls=LEAF, hba=Access.TLS_ONLY, users={USER: PASSWORD}) as running:
        yield running


@pytest.fixture(scope="session")
def alone() -> Iterator[Callable[[], Postgres]]:
    """One that signed its certificate itself, started when somebody asks."""
    with ExitStack() as stack:

        @cache
        def started() -> Postgres:
            users = {USER: PASSWORD}
            server = Postgres.start(tls=SELF, hba=Access.TLS_ONLY, users=users)
            return stack.enter_context(server)

        yield started


Start = Callable[..., Ground]


def _started(
    stack: ExitStack,
    server: Postgres,
    alone: Callable[[], Postgres],
    *,
    dms: Switches | None = None,
    acm: AcmSwitches | None = None,
    **played: Any,
) -> Ground:
    time = Time()
    hosts = dict.fromkeys((HOST, ALIAS, ALONE), "127.0.0.1") | {SILENT: BLACKHOLE}
    standin = DmsStandIn(switches=dms, clock=time.now, patience=10.0, resolve=hosts)
    stack.enter_context(standin.installed())
    acm_standin = AcmStandIn(
        switches=replace(acm or AcmSwitches(), throttled=False), clock=time.now
    )
    stack.enter_context(acm_standin.installed())
    session = fast.session(REGION)
    login = {"host": HOST, "port": server.port, "username": USER, "password": PASSWORD}
    secret = session.client("secretsmanager").create_secret(
        Name="smoke/login", SecretString=json.dumps(login)
    )["ARN"]
    given: dict[str, Any] = {
        "role": "arn:aws:iam::123456789012:role/dms-secrets",
        "alias": ALIAS,
        "intermediate_pem": MIDDLE.certificate_pem.decode(),
        "silent_host": SILENT,
        "with_task": True,
        "with_acm": True,
    } | played
    if "self_signed" not in given:
        pem = SELF.certificate_pem.decode()
        given["self_signed"] = Server(host=ALONE, port=alone().port, ca_pem=pem)
    request = Request(
        instance=standin.add_instance("replication-1"),
        secret=secret,
        **({"ca_pem": ROOT.certificate_pem.decode()} | given),
    )
    clients = Clients(session)
    account = Account(
        request,
        clients,
        login_of(request, Secrets(clients.client("secretsmanager"))),
        run="0123abcd",
        now=time.now,
        sleep=time.sleep,
    )
    return Ground(account, standin, acm_standin, time, session)


@pytest.fixture
def start(server: Postgres, alone: Callable[[], Postgres]) -> Iterator[Start]:
    """Start an account that behaves as these switches say; ``Request``'s fields can be given."""
    with ExitStack() as stack:
        stack.enter_context(mock_aws())
        yield lambda **played: _started(stack, server, alone, **played)


@pytest.fixture(scope="session")
def played(server: Postgres, alone: Callable[[], Postgres]) -> tuple[Ground, Book]:
    """All stories played once, in an account of defaults. To be looked at only: moto is gone."""
    with ExitStack() as stack:
        stack.enter_context(mock_aws())
        ground = _started(stack, server, alone)
        book = play(ground.account)
        assert ground.is_empty
    return ground, book
