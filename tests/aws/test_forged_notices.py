"""What another function could leave among the notices of an execution is not sent."""

import boto3
import pytest

from certifier.aws.s3 import DOCUMENT_LIMIT, JSON, Documents
from certifier.aws.store import Store
from certifier.models import Finding
from certifier.run.pending import OnceSent, Pending
from certifier.run.summary import ChildOutcome
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


def test_what_lies_under_the_name_of_a_step_is_not_even_read(
    documents: Documents, aws: boto3.Session, bucket: str
) -> None:
    """However large: nothing of it is fetched. What cannot be read hides no other."""
    documents.write_pending("parent-1", notice())
    large = b" " * (DOCUMENT_LIMIT + 1)
    for file in ("probe_tls.json", "probe_tls-1.json", "sales.json"):
        left(documents, file, large)
    client, fetched = aws.client("s3"), []
    client.meta.events.register(
        "provide-client-params.s3.GetObject", lambda params, **_: fetched.append(params["Key"])
    )
    found = Documents(client, bucket).pending("parent-1")
    assert [one.name for one in found] == ["orders"]
    assert [key.rpartition("/")[2] for key in fetched] == ["orders.json", "sales.json"]


def test_an_outcome_that_cannot_be_read_is_as_good_as_none(documents: Documents) -> None:
    """Too large, or not JSON: the report still has the others, and none for a step's name."""
    good = ChildOutcome(name="orders", outcome=Outcome.CERTIFIED, run=RUN)
    documents.write_child_outcome("parent-1", good)
    documents.write_child_outcome("parent-1", good.model_copy(update={"name": "probe_tls"}))
    for file, body in (("sales.failed", b" " * (DOCUMENT_LIMIT + 1)), ("stock.failed", b"{")):
        documents.put(f"runs/parent-1/outcomes/{file}", body, JSON)
    assert documents.child_outcomes("parent-1") == {"orders": good}
