"""What AWS has not confirmed: each such fact is played both ways, watched for, or not relied on."""

import re
from dataclasses import fields

import pytest

from sandbox.acm import AcmSwitches
from sandbox.dms import Switches
from tests.docs.markdown import ROOT, read

FACTS = read(ROOT / "docs/aws-facts.md")
FIRST_DAY = read(ROOT / "docs/first-day.md")
# Of no fact: they say what the word stands for.
ABOUT_THE_WORD = ("Compiled 2026", "Read in documents, models and public reports")
SWITCHES = frozenset(
    {one.name for one in fields(Switches)} | {one.name for one in fields(AcmSwitches)}
)
"""Each is played the other way: tests/scenarios/test_unconfirmed.py, tests/sandbox/test_acm.py."""

SHOWN: dict[str, tuple[str, ...]] = {
    # 1
    "whether DMS accepts that is **UNCONFIRMED** (docs advise": ("self_signed_trusted",),
    "Which TLS versions DMS negotiates": ("first day: DMS offers other TLS versions than we do",),
    "Max PEM size, max certs per PEM": (
        "tests/aws/test_dms.py::test_what_dms_takes_for_no_certificate_is_refused",
    ),
    "**without** CertificateArn: exact error text": ("verify_without_certificate_refused",),
    # 2
    "Whether DMS lower-cases identifiers": ("identifiers_lowered",),
    "Whether ImportCertificate fills resourceArn": ("already_exists_names_arn",),
    "In-use -> by elimination": (
        "tests/aws/test_dms.py::test_deleting_a_certificate_has_three_ends",
    ),
    "which cert ValidFrom/ValidTo/KeyLength describe": (
        "bundle_facts_from_last",
        "pem_normalised",
    ),
    "Describe* resource-level support": (
        "tests/stacks/test_template.py::test_resource_star_is_left_to_actions_without_resources",
    ),
    # 3
    "whether the same happens for postgres": ("modify_resets_database_name",),
    "You cannot modify endpoints associated to a DMS task": (
        "tests/aws/test_dms.py::test_a_modify_under_a_running_task_names_the_task",
    ),
    "Endpoint.Status is a free string": (
        "tests/aws/test_dms.py::test_a_modify_of_a_busy_endpoint_is_busy",
    ),
    # 4
    "Whether two filters are ANDed": ("connection_filters_anded",),
    "**No real DMS sample found**": ("failure_style", "server_prefix_shown"),
    "whether DMS passes the root file in require mode": ("require_uses_root_certificate",),
    "CN fallback: Python 3.11": (
        "tests/probe/test_differential.py::test_verdicts_and_causes_are_libpqs",
    ),
    # 5 and 6
    "Count of certs in global-bundle.pem": ("not relied on",),
    "Payload of the Endpoint event": ("not relied on",),
    # 7
    "must match the algorithm of the signing CA": ("algorithm_must_match_ca",),
    "Is the key-type rule enforced": ("key_type_held",),
    "Does a reimport count toward": ("reimports_count",),
    # 9
    "Launch date/Region coverage": ("first day: `Secret Label Updated` does not exist",),
    "Secret id location: service events": (
        "tests/unit/test_triggers.py::test_each_event_asks_for_something",
    ),
    # 10 to 12
    "SDK integrations: ": ("not relied on",),
    "Price: billed per state transition": ("not relied on",),
    "just launched/rolling out": ("not relied on",),
    "Delivery is at-least-once": (
        "tests/scenarios/test_events.py::test_the_same_tick_twice_sends_one",
    ),
    # 15
    "That both meet after a rollback": (
        "first day: *A version for this Lambda function exists*",
        "tests/stacks/test_template.py::test_a_deployment_that_is_rolled_back_leaves_nothing_behind",
    ),
    "A DeletionPolicy cannot be updated by itself": (
        "tests/stacks/test_construct.py::test_another_deletion_policy_alone_is_an_update",
    ),
    "Amazon Linux 2023 ships OpenSSL": (
        "first day: `evidence.openssl` in the record",
        "tests/probe/test_hostile.py::test_an_older_openssl_says_that_libpq_offers_more",
    ),
    "ModifyEndpoint under a running serverless replication": (
        "tests/aws/test_dms.py::test_a_modify_under_a_serverless_replication_names_it",
    ),
    "Whether DeleteCertificate is refused while one holds it": (
        "tests/aws/test_tidy_holders.py::test_a_certificate_of_a_data_provider_stays",
    ),
    "**IAM authentication of PostgreSQL endpoints**": (
        "tests/scenarios/test_which_endpoint.py::test_an_endpoint_that_logs_in_with_iam_is_left_alone",
    ),
}
"""For each fact, by words of it: switches of the stand-ins, tests, or words of first-day.md."""


def unconfirmed() -> list[str]:
    """Return the facts that nobody has confirmed, each a line."""
    lines = [line for line in FACTS.splitlines() if "UNCONFIRMED" in line]
    return [line for line in lines if not line.startswith(ABOUT_THE_WORD)]


def test_every_unconfirmed_fact_has_a_row_and_no_other_has() -> None:
    """A new one does not come in without an answer to: and if it is otherwise?"""
    rows = [[words for words in SHOWN if words in fact] for fact in unconfirmed()]
    assert [fact for fact, found in zip(unconfirmed(), rows, strict=True) if len(found) != 1] == []
    assert sorted(words for (words,) in rows) == sorted(SHOWN)


@pytest.mark.parametrize("words", SHOWN)
def test_what_shows_it_is_there(words: str) -> None:
    """A switch of a stand-in, a test of that name, or a sign of the first day."""
    for shown in SHOWN[words]:
        file, _, name = shown.partition("::")
        if name:
            assert f"def {name}(" in (ROOT / file).read_text("utf-8"), shown
        elif shown.startswith("first day: "):
            assert shown.removeprefix("first day: ") in FIRST_DAY
        else:
            assert shown in {*SWITCHES, "not relied on"}


def test_every_switch_of_dms_names_a_section_of_the_facts() -> None:
    """What is played both ways is a fact that stands there, with its source."""
    text = (ROOT / "sandbox/dms/switches.py").read_text("utf-8")
    numbers = re.findall(r'^    """(\d+)(?:\.\d+)?: ', text, re.MULTILINE)
    assert len(numbers) >= len(fields(Switches)) - 1
    for number in numbers:
        assert re.search(rf"^## {number}\. ", FACTS, re.MULTILINE), number
