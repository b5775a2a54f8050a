"""Tidy counts every holder of a DMS certificate, and keeps what it cannot be sure of."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest

from certifier.aws.clients import Clients
from certifier.aws.dms import Dms
from certifier.aws.store import Store
from certifier.certificate import bundle_digest
from certifier.endpoint.facts import DmsCertificate
from certifier.ownership import CA_TAG, STACK_TAG, certificate_identifier
from certifier.vocabulary import SslMode
from lambdas.tidy import handler
from sandbox.dms import INSTANT, DmsStandIn
from sandbox.dms.world import Fault
from sandbox.pki import Authority
from tests.aws.certifications import NOW

PARENT = "arn:aws:states:eu-west-1:123456789012:execution:machine/parent-1"
Tidy = Callable[[int], None]


@pytest.fixture
def standin(aws: boto3.Session) -> Iterator[DmsStandIn]:
    with DmsStandIn(clock=NOW.timestamp, durations=INSTANT, resolve={}).installed() as standin:
        yield standin


@pytest.fixture
def dms(standin: DmsStandIn, clients: Clients) -> Dms:
    return Dms(clients.client("dms"))


@pytest.fixture
def tidy(aws: boto3.Session, table: str, bucket: str, inbox: Any) -> Tidy:
    """Tidy up on that day."""

    def call(day: int) -> None:
        now: datetime = NOW + timedelta(days=day)
        environ = {
            "TABLE": table,
            "BUCKET": bucket,
            "INSTALLATION": "Certifier",
            "TOPIC": inbox.topic,
        }
        bound = handler.bind(environ, session=aws, now=lambda: now)
        bound({"execution": PARENT, "mode": "apply"}, None)

    return call


def imported(dms: Dms) -> DmsCertificate:
    pem = Authority.root("A", not_before=NOW).certificate_pem.decode()
    identifier = certificate_identifier("Certifier", bundle_digest(pem))
    return dms.import_certificate(identifier, pem, tags={CA_TAG: "ca", STACK_TAG: "Certifier"})


def left(dms: Dms) -> list[str]:
    return [one.arn for one in dms.all_certificates()]


def test_a_certificate_of_a_data_provider_stays(
    standin: DmsStandIn, dms: Dms, tidy: Tidy, store: Store
) -> None:
    """No endpoint has it; a week after the provider lets go of it, it goes."""
    ca = imported(dms)
    provider = standin.add_data_provider(
        "orders", ServerName="h", SslMode="verify-full", CertificateArn=ca.arn
    )
    for day in range(9):
        tidy(day)
    assert (left(dms), store.unused()) == ([ca.arn], {})
    del standin.state.providers[provider]
    for day in range(9, 16):
        tidy(day)
        assert left(dms) == [ca.arn]
    tidy(16)
    assert left(dms) == []


def test_where_data_providers_cannot_be_listed_it_stays_and_that_is_said(
    standin: DmsStandIn, dms: Dms, tidy: Tidy, inbox: Any
) -> None:
    """Once a week, with the reason; it goes once they can be listed again."""
    ca = imported(dms)

    def denied(params: Any) -> Any:
        raise Fault("AccessDeniedFault", "no permission to ListDataProviders")

    operations = standin._operations
    standin._operations = {**operations, "DescribeDataProviders": denied}
    for day in range(8):
        tidy(day)
    assert left(dms) == [ca.arn]
    ((_, message),) = inbox.received()
    assert ca.identifier in message
    assert "a data provider may have it, and those cannot be listed" in message
    for day in range(8, 12):
        tidy(day)
    assert inbox.received() == []
    standin._operations = operations
    for day in range(12, 20):
        tidy(day)
    assert left(dms) == []


def test_what_is_said_of_a_full_quota_counts_data_providers(standin: DmsStandIn, dms: Dms) -> None:
    """What one of them holds is not offered for deletion."""
    ca = imported(dms)
    assert [one.arn for one in dms.unused_certificates()] == [ca.arn]
    standin.add_data_provider("orders", SslMode="verify-ca", CertificateArn=ca.arn)
    assert dms.unused_certificates() == ()


def test_a_data_provider_is_read_whatever_its_engine(standin: DmsStandIn, dms: Dms) -> None:
    """The mode is said of PostgreSQL's words alone; a certificate of any."""
    standin.add_data_provider("a", ServerName="h", Port=5432, SslMode="verify-full")
    arn = standin.add_data_provider("b", ServerName="m")
    standin.state.providers[arn] |= {
        "Engine": "mysql",
        "Settings": {"MySqlSettings": {"ServerName": "m", "CertificateArn": "arn:x"}},
    }
    a, b = dms.data_providers()
    assert (a.name, a.host, a.port, a.ssl_mode) == ("a", "h", 5432, SslMode.VERIFY_FULL)
    assert (b.engine, b.certificate_arn, b.ssl_mode) == ("mysql", "arn:x", None)
