"""Tidy and Report, through their handlers."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from certifier.aws.clients import Clients
from certifier.aws.dms import Dms
from certifier.aws.s3 import Documents
from certifier.aws.store import Store
from certifier.certificate import bundle_digest
from certifier.endpoint.facts import DmsCertificate, EndpointFields
from certifier.ownership import CA_TAG, STACK_TAG, certificate_identifier
from certifier.run.documents import UndoLog
from certifier.run.state import Recording
from certifier.run.summary import ChildOutcome
from certifier.source import parse_source
from certifier.vocabulary import Cause, Metric, Outcome, SslMode
from lambdas.report import handler as report_handler
from lambdas.tidy import handler as tidy_handler
from sandbox.dms import INSTANT, DmsStandIn
from sandbox.pki import Authority
from tests.aws.certifications import NOW, SPEC

PARENT = "arn:aws:states:eu-west-1:123456789012:execution:machine:parent-1"
Call = Callable[..., dict[str, Any]]


@pytest.fixture
def dms(aws: boto3.Session, clients: Clients) -> Iterator[Dms]:
    with DmsStandIn(clock=NOW.timestamp, durations=INSTANT, resolve={}).installed():
        yield Dms(clients.client("dms"))


@pytest.fixture
def documents(clients: Clients, bucket: str) -> Documents:
    return Documents(clients.client("s3"), bucket)


@pytest.fixture
def tidy(aws: boto3.Session, table: str, bucket: str, inbox: Any) -> Call:
    def call(now: datetime = NOW, execution: str = PARENT, mode: str = "apply") -> dict[str, Any]:
        environ = {
            "TABLE": table,
            "BUCKET": bucket,
            "INSTALLATION": "Certifier",
            "TOPIC": inbox.topic,
        }
        return tidy_handler.bind(environ, session=aws, now=lambda: now)(
            {"execution": execution, "mode": mode}, None
        )

    return call


@pytest.fixture
def report(aws: boto3.Session, table: str, bucket: str, inbox: Any) -> Call:
    def call(**fields: Any) -> dict[str, Any]:
        environ = {
            "TABLE": table,
            "BUCKET": bucket,
            "INSTALLATION": "Certifier",
            "TOPIC": inbox.topic,
        }
        event = {
            "execution": PARENT,
            "bucket": bucket,
            "key": "runs/parent-1/manifest.json",
            "mode": "apply",
            "origin": "direct",
            "problem": None,
            **fields,
        }
        return report_handler.bind(environ, session=aws, now=lambda: NOW)(event, None)

    return call


def root(name: str) -> Authority:
    return Authority.root(name, not_before=NOW)


def imported(
    dms: Dms, authority: Authority, prefix: str = "", stack: str = "Certifier"
) -> DmsCertificate:
    pem = authority.certificate_pem.decode()
    identifier = certificate_identifier(stack, bundle_digest(pem))
    tags = {CA_TAG: "ca", STACK_TAG: stack}
    return dms.import_certificate(f"{prefix}{identifier}", pem, tags=tags)


def an_endpoint(dms: Dms, name: str, certificate: str) -> None:
    fields = EndpointFields(
        ssl_mode=SslMode.VERIFY_FULL,
        certificate_arn=certificate,
        server_name="h.example.com",
        port=5432,
        username="dms",
        database_name="d",
    )
    dms.create_endpoint(name, "source", "postgres", fields, password="x", tags={})


def names(dms: Dms) -> set[str]:
    return {certificate.arn for certificate in dms.all_certificates()}


def test_an_unused_certificate_goes_after_a_week(dms: Dms, tidy: Call, store: Store) -> None:
    """Only ours, only unused, and only once it has been so for seven days in a row."""
    unused, used = imported(dms, root("A")), imported(dms, root("B"))
    foreign = imported(dms, root("C"), prefix="theirs-")
    an_endpoint(dms, "orders", used.arn)
    for day in range(7):
        assert tidy(NOW + timedelta(days=day)) == {}
        assert names(dms) == {unused.arn, used.arn, foreign.arn}
    tidy(NOW + timedelta(days=7))
    assert names(dms) == {used.arn, foreign.arn}
    assert store.unused() == {}


def test_another_installations_certificate_is_not_ours_to_delete(
    dms: Dms, tidy: Call, store: Store
) -> None:
    """The same CA may be in use there for what we know nothing of: an undo log, an import."""
    authority = root("A")
    ours, theirs = imported(dms, authority), imported(dms, authority, stack="Other")
    assert (ours.digest, ours.arn != theirs.arn) == (theirs.digest, True)
    for day in range(20):
        tidy(NOW + timedelta(days=day))
    assert names(dms) == {theirs.arn}
    assert store.unused() == {}


def test_a_certificate_without_our_tag_stays_and_is_reported(
    dms: Dms, tidy: Call, inbox: Any
) -> None:
    """Whatever its identifier is: somebody has taken the tag away, or given it another."""
    pem = root("A").certificate_pem.decode()
    identifier = certificate_identifier("Certifier", bundle_digest(pem))
    made = dms.import_certificate(identifier, pem, tags={STACK_TAG: "Other"})
    for day in (0, 7):
        tidy(NOW + timedelta(days=day))
    assert names(dms) == {made.arn}
    ((_, text),) = inbox.received()
    assert "it lacks the tag certifier:stack of Certifier" in text


def test_a_certificate_that_is_used_again_begins_anew(dms: Dms, tidy: Call, store: Store) -> None:
    """A run that imports the same CA makes the store forget that it was unused."""
    certificate = imported(dms, root("A"))
    tidy()
    store.forget_unused(certificate.digest)
    tidy(NOW + timedelta(days=7))
    assert names(dms) == {certificate.arn}
    assert store.unused() == {certificate.digest: NOW + timedelta(days=7)}
    an_endpoint(dms, "orders", certificate.arn)
    tidy(NOW + timedelta(days=20))
    assert store.unused() == {}
    assert names(dms) == {certificate.arn}


def test_what_an_undo_log_may_give_back_stays(dms: Dms, tidy: Call, store: Store) -> None:
    """An unfinished change keeps its old and its new certificate, however long it takes."""
    old, new = imported(dms, root("A")), imported(dms, root("B"))
    store.register(parse_source(SPEC), NOW)
    store.claim("orders", "run", NOW, lambda _: None)
    log = UndoLog(
        endpoint_arn="arn:e",
        endpoint_identifier="orders",
        fields=("certificate_arn",),
        old=EndpointFields(certificate_arn=old.arn),
        new=EndpointFields(certificate_arn=new.arn),
    )
    store.hold("orders", "run").write_undo(log)
    for day in (0, 8, 16):
        tidy(NOW + timedelta(days=day))
    assert names(dms) == {old.arn, new.arn}
    done = Recording(outcome=Outcome.CERTIFIED, at=NOW, due_at=None, erase_undo=True)
    store.hold("orders", "run").record(done, breaker_limit=3)
    for day in (17, 25):
        tidy(NOW + timedelta(days=day))
    assert names(dms) == set()


def test_only_the_first_execution_of_a_day_tidies(dms: Dms, tidy: Call, store: Store) -> None:
    """A later one of the same day asks the table, and nobody else."""
    tidy()
    imported(dms, root("A"))
    tidy(NOW + timedelta(hours=1), execution=f"{PARENT}-2")
    assert store.unused() == {}


def test_plan_mode_tidies_nothing(dms: Dms, tidy: Call, store: Store) -> None:
    """It does not even note what is unused; the day's first run that may write does."""
    certificate = imported(dms, root("A"))
    tidy(mode="plan")
    assert store.unused() == {}
    tidy()
    assert store.unused() == {certificate.digest: NOW}


def test_what_may_not_be_deleted_notifies(
    aws: boto3.Session, dms: Dms, tidy: Call, inbox: Any
) -> None:
    """A certificate that lost our tag is refused by the role; people hear of it, Tidy goes on."""
    first, second = imported(dms, root("A")), imported(dms, root("B"))

    def deny(params: dict[str, Any], **_: Any) -> None:
        if params.get("CertificateArn") == first.arn:
            error: Any = {"Code": "AccessDeniedException", "Message": "not authorized: dms:x"}
            raise ClientError({"Error": error}, "DeleteCertificate")

    aws.events.register("provide-client-params.dms.DeleteCertificate", deny)
    for day in (0, 7):
        tidy(NOW + timedelta(days=day))
    assert names(dms) == {first.arn}
    ((subject, text),) = inbox.received()
    assert subject == "Certifier eu-west-1: a DMS certificate cannot be deleted"
    assert "not authorized: dms:x" in text
    assert second.arn not in text


def test_a_digest_whose_certificate_is_gone_is_forgotten(
    dms: Dms, tidy: Call, store: Store
) -> None:
    """Somebody deleted it by hand; a new one of the same content starts its own week."""
    certificate = imported(dms, root("A"))
    tidy()
    dms.delete_certificate(certificate.arn)
    tidy(NOW + timedelta(days=1))
    assert store.unused() == {}


def endings(documents: Documents, **outcomes: Outcome) -> None:
    items = [{"name": name} for name in (*outcomes, "silent")]
    documents.write_manifest("parent-1", items[: len(outcomes)])
    for name, outcome in outcomes.items():
        cause = Cause.HOSTNAME_MISMATCH if outcome is Outcome.REFUSED else None
        word = ChildOutcome(
            name=name,
            outcome=outcome,
            run="r",
            cause=cause,
            seen="a <b>",
            record=f"records/{name}/x",
            days_left=12,
        )
        documents.write_child_outcome("parent-1", word)


def test_an_execution_whose_sources_are_all_certified_succeeds(
    report: Call, documents: Documents
) -> None:
    """The summary counts them and links their records."""
    endings(documents, orders=Outcome.CERTIFIED, sales=Outcome.CERTIFIED)
    answer = report()
    assert (answer["failed"], answer["cause"]) == (False, "")
    assert answer["answer"]["counts"] == {"certified": 2}
    assert answer["answer"]["report"] == "reports/parent-1"
    summary = json.loads(documents.get("reports/parent-1.json") or b"")
    assert summary["format"] == "certifier.summary/2"
    assert [line["name"] for line in summary["lines"]] == ["orders", "sales"]
    page = (documents.get("reports/parent-1.html") or b"").decode()
    assert 'href="../records/orders/x.html"' in page
    assert "a &lt;b&gt;" in page


def test_a_direct_start_fails_with_the_names_of_the_others(
    report: Call, documents: Documents
) -> None:
    """A pipeline reads at once which of its sources is not certified, and why."""
    endings(documents, orders=Outcome.CERTIFIED, sales=Outcome.REFUSED, stock=Outcome.DEFERRED)
    answer = report()
    assert (answer["failed"], answer["answer"]) == (True, None)
    cause = json.loads(answer["cause"])
    assert cause["reason"] == "sales: refused (hostname_mismatch); stock: deferred"
    assert cause["counts"] == {"certified": 1, "refused": 1, "deferred": 1}
    assert [one["name"] for one in cause["sources"]] == ["sales", "stock", "orders"]
    assert cause["report"] == "reports/parent-1"
    assert answer["page"] == ""
    assert not report(origin="schedule")["failed"]
    assert not report(origin="event")["failed"]


def test_a_child_that_left_no_word_counts_as_failed(
    report: Call, documents: Documents, capsys: pytest.CaptureFixture[str]
) -> None:
    """The manifest says who was meant to run. It is not the caller's fault, so an alarm rings."""
    endings(documents, orders=Outcome.CERTIFIED)
    documents.write_manifest("parent-1", [{"name": "orders"}, {"name": "silent"}])
    assert json.loads(report()["cause"])["reason"] == "silent: failed"
    summary = json.loads(documents.get("reports/parent-1.json") or b"")
    assert "without a word" in summary["lines"][1]["seen"]
    assert Metric.STARTS_REFUSED.value not in capsys.readouterr().out
    documents.write_manifest("parent-1", [{"name": "orders"}])
    endings(documents, orders=Outcome.REFUSED)
    assert report()["failed"]
    assert Metric.STARTS_REFUSED.value in capsys.readouterr().out


def test_plan_mode_wants_every_source_planned(report: Call, documents: Documents) -> None:
    """A plan that would be refused fails the direct start, as the run would."""
    endings(documents, orders=Outcome.PLANNED)
    assert not report(mode="plan")["failed"]
    endings(documents, orders=Outcome.PLANNED, sales=Outcome.REFUSED)
    assert report(mode="plan")["failed"]


def test_an_event_that_was_not_understood_is_the_cause(report: Call, documents: Documents) -> None:
    """When Select refuses, its own words end the execution, whoever started it."""
    problem = {
        "error": "InvalidEvent",
        "cause": '{"errorMessage": "names: must be a list", "errorType": "InvalidEvent"}',
    }
    answer = report(bucket=None, key=None, mode=None, origin=None, problem=problem)
    said = {
        "reason": "InvalidEvent: names: must be a list",
        "counts": {},
        "sources": [],
        "report": "reports/parent-1",
    }
    assert (answer["failed"], json.loads(answer["cause"])) == (True, said)
    assert answer["page"] == ""
    page = (documents.get("reports/parent-1.html") or b"").decode()
    assert "names: must be a list" in page
