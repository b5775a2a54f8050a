"""The mails that are not about how a run ended, as files: ``tests/golden/mail-*.txt``."""

import inspect

import pytest

from certifier.run import mail
from certifier.run.mail import SUBJECT, Notice, about_nothing, about_undeleted, about_unreadable
from tests.goldens import golden
from tests.unit.situations import AT

CERTIFICATE = "arn:aws:dms:eu-west-1:111122223333:cert:ABC"
KINDS: dict[str, Notice] = {
    "cannot-be-run": about_unreadable(
        AT.place, "orders", "its SPEC is not valid in this version: ssl_mode is not a known field"
    ),
    "a-test": about_nothing(AT.place),
    "not-deleted": about_undeleted(
        AT.place,
        "certifier-0f0332b9-86cf598d",
        CERTIFICATE,
        "it lacks the tag certifier:stack of Certifier",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_mail_reads_like_this(kind: str) -> None:
    """As its file; with account, Region and stack, and the section of the runbook, if any."""
    sent = KINDS[kind]
    golden(f"mail-{kind}", f"Subject: {sent.subject}\n\n{sent.message}")
    assert len(sent.subject) <= SUBJECT
    assert sent.subject.isascii()
    assert "Account 111122223333 · eu-west-1 · stack Certifier" in sent.message
    assert kind == "a-test" or "  Runbook      https://docs.example.com/" in sent.message


def test_every_kind_of_mail_has_its_file() -> None:
    """Those of a run in test_mails.py, what many share in test_digest.py, and these."""
    makers = {name for name, _ in inspect.getmembers(mail, inspect.isfunction) if "about_" in name}
    of_runs = {"about_stopped", "about_findings", "about_the_end", "about_breaker"}
    assert makers == of_runs | {"about_nothing", "about_undeleted", "about_unreadable"}
