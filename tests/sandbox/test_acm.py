"""ACM's rules in front of moto: each test names what section 7 of the AWS facts says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import moto
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from cryptography.x509.oid import AuthorityInformationAccessOID

from certifier.diagnosis import explain
from certifier.vocabulary import Cause
from sandbox.acm import AcmStandIn, AcmSwitches, KeyTypeHeld
from sandbox.aws import fast
from sandbox.pki import CLIENT_AUTH, SERVER_AUTH, Authority, Key, Leaf, self_signed
from tests.days import some

HOST = "orders.db.example.com"
ROOT = Authority.root("Example root")
ISSUING = ROOT.intermediate("Example issuing CA")
OTHER = Authority.root("Other root")


class Clock:
    def __init__(self) -> None:
        self.time = datetime.now(UTC).timestamp()

    def __call__(self) -> float:
        self.time += 1.0  # so that rates do not matter unless a test looks at them
        return self.time


class Acm:
    def __init__(self, standin: AcmStandIn) -> None:
        self.standin = standin
        self.client: Any = fast.session(standin.region).client(
            "acm", config=Config(retries={"total_max_attempts": 1})
        )

    def put(self, leaf: Leaf, **more: Any) -> str:
        chain = {"CertificateChain": leaf.chain_pem} if leaf.chain_pem else {}
        given = {"Certificate": leaf.certificate_pem, "PrivateKey": leaf.key_pem} | chain | more
        return str(self.client.import_certificate(**given)["CertificateArn"])

    def refuse(self, leaf: Leaf, **more: Any) -> str:
        """The message of the ValidationException that an import ends with."""
        with pytest.raises(ClientError) as caught:
            self.put(leaf, **more)
        error = caught.value.response["Error"]
        assert error["Code"] == "ValidationException"
        return str(error["Message"])

    def tags(self, arn: str) -> dict[str, str]:
        listed = self.client.list_tags_for_certificate(CertificateArn=arn)["Tags"]
        return {one["Key"]: one["Value"] for one in listed}


Start = Callable[..., Acm]


@pytest.fixture
def start() -> Iterator[Start]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(moto.mock_aws())

        def started(*, clock: Callable[[], float] | None = None, **switches: Any) -> Acm:
            standin = AcmStandIn(switches=AcmSwitches(**switches), clock=clock or Clock())
            stack.enter_context(standin.installed())
            return Acm(standin)

        yield started


@pytest.mark.parametrize(
    ("key", "name"),
    some(
        [
            (Key.RSA_1024, "RSA_1024"),
            (Key.RSA_2048, "RSA_2048"),
            (Key.RSA_3072, "RSA_3072"),
            (Key.RSA_4096, "RSA_4096"),
            (Key.EC_P256, "EC_prime256v1"),
            (Key.EC_P384, "EC_secp384r1"),
            (Key.EC_P521, "EC_secp521r1"),
        ]
    ),
)
def test_key_types_that_acm_takes(start: Start, key: Key, name: str) -> None:
    """Seven key types are imported, and described by their names; the chain comes back as sent."""
    acm = start()
    leaf = ISSUING.issue([HOST], key=key)
    arn = acm.put(leaf)
    described = acm.client.describe_certificate(CertificateArn=arn)["Certificate"]
    assert described["KeyAlgorithm"] == name
    stored = acm.client.get_certificate(CertificateArn=arn)
    assert stored["Certificate"].encode() == leaf.certificate_pem
    assert stored["CertificateChain"].encode().strip() == leaf.chain_pem.strip()


def test_other_key_types_are_refused(start: Start) -> None:
    """Ed25519 is none of the seven."""
    acm = start()
    assert "not supported" in acm.refuse(ROOT.issue([HOST], key=Key.ED25519))


def test_a_root_that_signed_the_leaf_may_be_left_out_or_sent(start: Start) -> None:
    """The chain is optional in the API; a root at its end is fine."""
    acm = start()
    acm.put(ROOT.issue([HOST]))
    acm.put(ISSUING.issue([HOST]), CertificateChain=ISSUING.chain_pem + ROOT.certificate_pem)
    stored = acm.client.get_certificate(CertificateArn=acm.put(self_signed([HOST])))
    assert "CertificateChain" not in stored


def test_a_missing_chain_may_be_refused(start: Start) -> None:
    """Section 7, documents disagree: a certificate that a CA signed may need its chain."""
    acm = start(chain_required=True)
    assert "certificate chain" in acm.refuse(ROOT.issue([HOST]))
    acm.put(self_signed([HOST]))


def test_the_key_must_belong_to_the_certificate(start: Start) -> None:
    """A wrong key is a ValidationException."""
    acm = start()
    other = ISSUING.issue([HOST], fresh=True)
    assert "does not match" in acm.refuse(ISSUING.issue([HOST]), PrivateKey=other.key_pem)


def test_the_key_must_be_unencrypted_pem_of_at_most_five_kilobytes(start: Start) -> None:
    """Encrypted, garbled and oversized keys are refused."""
    acm = start()
    leaf = ISSUING.issue([HOST])
    locked = leaf.private_key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    assert "private key" in acm.refuse(leaf, PrivateKey=locked)
    assert "private key" in acm.refuse(leaf, PrivateKey=b"hello")
    assert "5120" in acm.refuse(leaf, PrivateKey=leaf.key_pem + b"\n" * 5_120)


def test_the_certificate_field_takes_one_certificate(start: Start) -> None:
    """A full chain in it is refused with ACM's well-known sentence; so is garbage."""
    acm = start()
    leaf = ISSUING.issue([HOST])
    assert "more than one certificate" in acm.refuse(leaf, Certificate=leaf.fullchain_pem)
    assert "not PEM-encoded" in acm.refuse(leaf, Certificate=b"hello")
    assert "32768" in acm.refuse(leaf, Certificate=leaf.certificate_pem + b"\n" * 32_768)


@pytest.mark.shows("acm_chain_rejected")
def test_the_chain_must_certify_without_the_leaf(start: Start) -> None:
    """No leaf in the chain; each certificate directly certifies the one before it."""
    acm = start()
    leaf = ISSUING.issue([HOST])
    upside_down = ROOT.certificate_pem + ISSUING.chain_pem
    for chain, words in (
        (leaf.fullchain_pem, "must not contain"),
        (OTHER.certificate_pem, "Could not validate"),
        (upside_down, "Could not validate"),
    ):
        said = acm.refuse(leaf, CertificateChain=chain)
        assert words in said
        assert explain(said).cause is Cause.ACM_CHAIN_REJECTED
    assert "chain is not PEM" in acm.refuse(leaf, CertificateChain=b"hello")


def test_the_certificate_must_be_valid_now(start: Start) -> None:
    """Now lies between NotBefore and NotAfter, by the stand-in's clock."""
    acm = start()
    now = datetime.now(UTC)
    late = ISSUING.issue([HOST], not_after=now - timedelta(days=1))
    early = ISSUING.issue([HOST], not_before=now + timedelta(days=1))
    assert "expired" in acm.refuse(late)
    assert "not in effect yet" in acm.refuse(early)


def test_the_certificate_must_be_version_3_with_a_name(start: Start) -> None:
    """X.509 v3, and a domain name or an IP address."""
    acm = start()
    assert "version 3" in acm.refuse(ROOT.issue(cn=HOST, version=1))
    nameless = ROOT.issue(subject=x509.Name([]))
    assert "domain name or an IP address" in acm.refuse(nameless)


def test_the_ocsp_url_is_limited(start: Start) -> None:
    """At most 1,000 characters."""
    acm = start()
    url = x509.AccessDescription(
        AuthorityInformationAccessOID.OCSP,
        x509.UniformResourceIdentifier("http://ocsp.example.com/" + "x" * 1_000),
    )
    leaf = ROOT.issue([HOST], extensions=[(x509.AuthorityInformationAccess([url]), False)])
    assert "OCSP" in acm.refuse(leaf)


def test_the_algorithm_may_have_to_match_the_ca(start: Start) -> None:
    """UNCONFIRMED: an EC certificate of an RSA CA is taken, or it is not."""
    rsa_root = Authority.root("RSA root", key=Key.RSA_2048)
    leaf = rsa_root.issue([HOST], key=Key.EC_P256)
    start().put(leaf, CertificateChain=rsa_root.certificate_pem)
    acm = start(algorithm_must_match_ca=True)
    assert "algorithm" in acm.refuse(leaf, CertificateChain=rsa_root.certificate_pem)


def test_an_import_without_arn_is_always_new(start: Start) -> None:
    """ImportCertificate has no name key: the same pair twice is two ARNs."""
    acm = start()
    leaf = ISSUING.issue([HOST])
    assert acm.put(leaf) != acm.put(leaf)


def test_a_renewal_keeps_arn_tags_and_users(start: Start) -> None:
    """A re-import replaces the certificate under the same ARN, and nothing else."""
    acm = start()
    arn = acm.put(ISSUING.issue([HOST]), Tags=[{"Key": "certifier:source", "Value": "orders"}])
    acm.standin.set_in_use(arn, "balancer")
    renewed = ISSUING.issue([HOST, "more.example.com"])
    assert acm.put(renewed, CertificateArn=arn) == arn
    assert acm.tags(arn) == {"certifier:source": "orders"}
    described = acm.client.describe_certificate(CertificateArn=arn)["Certificate"]
    assert described["Serial"] == str(renewed.certificate.serial_number)
    assert described["InUseBy"] == ["balancer"]


def test_tags_are_refused_on_a_renewal(start: Start) -> None:
    """ "Tagging is not permitted on re-import."."""
    acm = start()
    arn = acm.put(ISSUING.issue([HOST]))
    message = acm.refuse(
        ISSUING.issue([HOST]), CertificateArn=arn, Tags=[{"Key": "a", "Value": "b"}]
    )
    assert message == "Tagging is not permitted on re-import."


def test_a_renewal_keeps_key_type_and_size(start: Start) -> None:
    """RSA to EC, or 2048 to 4096, needs a new ARN; when unused that is UNCONFIRMED."""
    acm = start()
    arn = acm.put(ISSUING.issue([HOST], key=Key.RSA_2048))
    for key in (Key.EC_P256, Key.RSA_3072):
        assert "key type" in acm.refuse(ISSUING.issue([HOST], key=key), CertificateArn=arn)
    acm = start(key_type_held=KeyTypeHeld.WHEN_IN_USE)
    arn = acm.put(ISSUING.issue([HOST], key=Key.RSA_2048))
    acm.put(ISSUING.issue([HOST]), CertificateArn=arn)
    acm.standin.set_in_use(arn, "balancer")
    message = acm.refuse(ISSUING.issue([HOST], key=Key.RSA_2048), CertificateArn=arn)
    assert "key type" in message


def test_a_renewal_keeps_a_name_and_the_usages(start: Start) -> None:
    """Names may come and go, but not all; key usages may be added, not removed, except two."""
    acm = start()
    arn = acm.put(ISSUING.issue([HOST], eku=[SERVER_AUTH, CLIENT_AUTH]))
    assert "domain names" in acm.refuse(ISSUING.issue(["new.example.com"]), CertificateArn=arn)
    assert "key usages" in acm.refuse(ISSUING.issue([HOST], eku=[CLIENT_AUTH]), CertificateArn=arn)
    acm.put(ISSUING.issue([HOST, "new.example.com"], eku=[SERVER_AUTH]), CertificateArn=arn)


def test_a_renewal_of_nothing_is_not_found(start: Start) -> None:
    """An ARN that is not there is ResourceNotFoundException."""
    acm = start()
    arn = acm.put(ISSUING.issue([HOST]))
    acm.client.delete_certificate(CertificateArn=arn)
    with pytest.raises(acm.client.exceptions.ResourceNotFoundException):
        acm.put(ISSUING.issue([HOST]), CertificateArn=arn)


def test_a_list_shows_small_rsa_keys_unless_asked(start: Start) -> None:
    """Without keyTypes, EC and larger RSA certificates look missing."""
    acm = start()
    arns = {key: acm.put(ISSUING.issue([HOST], key=key)) for key in (Key.RSA_2048, Key.EC_P256)}
    shown = acm.client.list_certificates()["CertificateSummaryList"]
    assert [one["CertificateArn"] for one in shown] == [arns[Key.RSA_2048]]
    every = acm.client.list_certificates(Includes={"keyTypes": ["RSA_2048", "EC_prime256v1"]})
    assert {one["CertificateArn"] for one in every["CertificateSummaryList"]} == set(arns.values())


def test_a_list_comes_in_pages(start: Start) -> None:
    """MaxItems and NextToken."""
    acm = start()
    arns = [acm.put(ISSUING.issue([HOST], key=Key.RSA_2048)) for _ in range(3)]
    pages = acm.client.get_paginator("list_certificates").paginate(MaxItems=2)
    found = [one["CertificateArn"] for page in pages for one in page["CertificateSummaryList"]]
    assert found == arns


def test_a_used_certificate_cannot_be_deleted(start: Start) -> None:
    """ResourceInUseException while a load balancer holds it."""
    acm = start()
    arn = acm.put(ISSUING.issue([HOST]))
    acm.standin.set_in_use(arn, "balancer")
    with pytest.raises(acm.client.exceptions.ResourceInUseException):
        acm.client.delete_certificate(CertificateArn=arn)
    acm.standin.set_in_use(arn)
    acm.client.delete_certificate(CertificateArn=arn)


def test_one_import_a_second(start: Start) -> None:
    """ImportCertificate 1/s, DescribeCertificate 10/s; then ThrottlingException."""
    now = datetime.now(UTC).timestamp()
    acm = start(clock=lambda: now)
    arn = acm.put(ISSUING.issue([HOST]))
    with pytest.raises(ClientError, match="Rate exceeded") as caught:
        acm.put(ISSUING.issue([HOST]))
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    for _ in range(10):
        acm.client.describe_certificate(CertificateArn=arn)
    with pytest.raises(ClientError, match="Rate exceeded"):
        acm.client.describe_certificate(CertificateArn=arn)
    now += 1
    acm.put(ISSUING.issue([HOST]))


def test_the_quotas_are_held(start: Start) -> None:
    """2,500 imported certificates, 5,000 imports a year; a re-import counts, UNCONFIRMED."""
    assert (AcmSwitches().imported, AcmSwitches().imports_per_year) == (2_500, 5_000)
    acm = start(imported=1)
    arn = acm.put(ISSUING.issue([HOST]))
    with pytest.raises(acm.client.exceptions.LimitExceededException):
        acm.put(ISSUING.issue([HOST]))
    acm.put(ISSUING.issue([HOST]), CertificateArn=arn)
    for counted in (True, False):
        acm = start(imports_per_year=1 + len(acm.standin.certificates()), reimports_count=counted)
        arn = acm.put(ISSUING.issue([HOST]))
        acm.put(ISSUING.issue([HOST]), CertificateArn=arn)
        with contextlib.ExitStack() as stack:
            if counted:
                stack.enter_context(pytest.raises(acm.client.exceptions.LimitExceededException))
            acm.put(ISSUING.issue([HOST]), CertificateArn=arn)
