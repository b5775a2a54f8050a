"""Answers of ACM about another certificate than was asked for, which do not say whose they are.

What DescribeCertificate shows under an ARN has that ARN in it; its serial number is the leaf's.
"""

from collections.abc import Sequence
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from certifier.aws.acm import Acm, Pair
from certifier.aws.answers import require_serial
from certifier.certificate import certificate_facts, certificates_in
from certifier.errors import Unavailable
from sandbox.pki import Authority, Leaf
from tests.aws.test_store import NOW

ARN = "arn:aws:acm:eu-west-1:111122223333:certificate/mine"
ROOT = Authority.root("Example root", not_before=NOW)
MINE, OTHER = (ROOT.issue(dns=[f"{name}.example.com"], not_before=NOW) for name in ("a", "b"))
Answers = Sequence[tuple[str, dict[str, Any]]]


def get(leaf: Leaf) -> tuple[str, dict[str, Any]]:
    return "get_certificate", {"Certificate": leaf.certificate_pem.decode()}


def describe(leaf: Leaf) -> tuple[str, dict[str, Any]]:
    serial = f"{leaf.certificate.serial_number:040x}"
    shown = ":".join(serial[at : at + 2] for at in range(0, len(serial), 2))
    return "describe_certificate", {"Certificate": {"CertificateArn": ARN, "Serial": shown}}


def acm(*answers: tuple[str, dict[str, Any]]) -> tuple[Acm, Stubber]:
    client = boto3.client(
        "acm", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    stubber = Stubber(client)
    for operation, answer in answers:
        stubber.add_response(operation, answer)
    stubber.activate()
    return Acm(client, "stack"), stubber


def sha256(leaf: Leaf) -> str:
    return certificate_facts(certificates_in(leaf.certificate_pem.decode())[0]).sha256


def test_a_leaf_of_another_serial_number_is_not_the_one_under_the_arn() -> None:
    """Neither to compare a copy with, nor as what the server is meant to serve."""
    reader, _ = acm(get(OTHER), describe(MINE))
    with pytest.raises(Unavailable):
        reader.read(ARN, expected=sha256(MINE))
    reader, _ = acm(describe(MINE), get(OTHER))
    with pytest.raises(Unavailable):
        reader.certificate(ARN)


def test_the_expected_one_costs_one_call_and_a_renewed_one_two() -> None:
    """Whatever was thought to be there."""
    reader, asked = acm(get(MINE))
    assert reader.read(ARN, expected=sha256(MINE)) == (MINE.certificate_pem.decode(), "")
    asked.assert_no_pending_responses()
    reader, asked = acm(get(OTHER), describe(OTHER))
    assert reader.read(ARN, expected=sha256(MINE)) == (OTHER.certificate_pem.decode(), "")
    asked.assert_no_pending_responses()


def test_a_wrong_first_answer_imports_nothing_again() -> None:
    """The copy is in step, and the first look was at another certificate."""
    reader, asked = acm(get(OTHER), describe(MINE), get(MINE))
    pair = Pair(MINE.certificate_pem.decode(), "", lambda: b"")
    done = reader.reconcile("orders", pair, remembered=ARN)
    assert (done.arn, done.changed) == (ARN, False)
    asked.assert_no_pending_responses()


@pytest.mark.parametrize("described", [None, "", "12345", 7, "zz:zz"])
def test_what_is_not_a_serial_number_says_nothing(described: object) -> None:
    """ACM writes bytes in hex, with colons."""
    require_serial("get_certificate", described, "0a0b")


@pytest.mark.parametrize(("described", "serial"), [("00:0a:0B", "a0b"), ("0a:0b", "0a0b")])
def test_serial_numbers_are_compared_as_numbers(described: str, serial: str) -> None:
    """Without leading noughts, in any case."""
    require_serial("get_certificate", described, serial)
    with pytest.raises(Unavailable):
        require_serial("get_certificate", described, f"1{serial}")
