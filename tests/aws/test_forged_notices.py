"""What another function could leave among the notices of an execution is not sent."""

import boto3
import pytest

from certifier.aws.s3 import JSON, Documents
from certifier.aws.store import Store
from certifier.models import Finding
from certifier.run.pending import OnceSent, Pending
from certifier.vocabulary import Outcome
from lambdas.report import handler
from tests.aws.conftest import Inbox
from tests.aws.test_cli_fleet import NOW, RUN, register

EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:machine:parent-1"


@pytest.fixture
def documents(aws: boto3.Session, bucket: str) -> Documents:
    return Documents(aws.client("s3"), bucket)


def notice(name: str = "orders", run: str = RUN) -> Pending:
    findings: tuple[Finding, ...] = ()
    return Pending(
        name=name,
        run=run,
        outcome=Outcome.REFUSED,
        findings=findings,
        host="orders.db.example.com:5432",
        endpoint="orders-source",
        subject="Certifier eu-west-1: pay this bill",
        message="at once",
        once_sent=OnceSent(notified={"refused": NOW}),
    )


def left(documents: Documents, file: str, body: bytes) -> None:
    documents.put(f"runs/parent-1/notices/{file}", body, JSON)


def test_only_what_lies_under_the_name_of_its_source_is_a_notice(documents: Documents) -> None:
    """The right of a step to write its own documents reaches into the folder."""
    documents.write_pending("parent-1", notice())
    left(documents, "probe_tls.json", notice().model_dump_json().encode())
    left(documents, "probe_tls/orders.json", notice().model_dump_json().encode())
    left(documents, "sales.json", b"{}")
    left(documents, "stock.json", b"not JSON")
    assert [one.name for one in documents.pending("parent-1")] == ["orders"]


def test_a_notice_of_a_run_that_was_not_recorded_last_is_not_sent(
    documents: Documents, store: Store, aws: boto3.Session, inbox: Inbox
) -> None:
    """Nor one of a source that nobody knows; and the state stays as it is."""
    register(store, "orders", outcome=Outcome.REFUSED)
    documents.write_pending("parent-1", notice(run="another"))
    documents.write_pending("parent-1", notice("probe_tls"))
    environ = {
        "TABLE": store._table.name,
        "BUCKET": documents.bucket,
        "INSTALLATION": "Certifier",
        "TOPIC": inbox.topic,
    }
    before = store.state("orders")
    answer = handler.bind(environ, session=aws, now=lambda: NOW)({"execution": EXECUTION}, None)
    assert answer["unsent"] == 0
    assert inbox.received() == []
    assert store.state("orders") == before


def test_an_outcome_that_no_step_leaves_does_not_break_the_report(documents: Documents) -> None:
    """Whoever loses a claim may write there."""
    documents.put("runs/parent-1/outcomes/orders.evil", b"{}", JSON)
    documents.put("runs/parent-1/outcomes/orders", b"{}", JSON)
    assert documents.outcomes("parent-1") == {}
