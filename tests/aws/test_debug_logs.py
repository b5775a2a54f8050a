"""Whoever sets a function's log level to DEBUG reads no secret, in whatever library's words.

Lambda sets the level of the root logger by it (``AWS_LAMBDA_LOG_LEVEL``, with logs in JSON), and
at DEBUG botocore logs the body of each request and answer.
"""

import json
import logging
from collections.abc import Iterator

import boto3
import pytest

from certifier.aws.clients import Clients
from certifier.aws.secrets import Secret, Secrets
from certifier.certificate.acm import MAX_KEY_BYTES
from sandbox.pki import Authority

PASSWORD = "hunter2-correct-horse"
LEAF = Authority.root("Example root").issue(dns=["orders.db.example.com"])


@pytest.fixture
def everything() -> Iterator[logging.Logger]:
    """The root logger at DEBUG, and the levels of the others as they were before."""
    names = ("", *logging.root.manager.loggerDict)
    before = {name: logging.getLogger(name).level for name in names}
    for name in before:
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.root.setLevel(logging.DEBUG)
    yield logging.root
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def test_a_function_at_debug_logs_no_secret(
    everything: logging.Logger, aws: boto3.Session, caplog: pytest.LogCaptureFixture
) -> None:
    """A password that is read and one that is set, a private key that is imported."""
    with caplog.at_level(logging.DEBUG):
        clients = Clients(aws)
        manager = clients.client("secretsmanager")
        made = manager.create_secret(
            Name="dms/orders", SecretString=json.dumps({"password": PASSWORD})
        )
        read = Secrets(manager).read(made["ARN"])
        assert isinstance(read, Secret)
        assert read.text("password") == PASSWORD
        clients.client("acm").import_certificate(
            Certificate=LEAF.certificate_pem, PrivateKey=LEAF.key_pem
        )
        logging.getLogger("certifier").debug("heard")
    assert "heard" in caplog.text
    assert PASSWORD not in caplog.text
    key = LEAF.key_pem.decode().splitlines()
    assert len(LEAF.key_pem) < MAX_KEY_BYTES
    assert not [line for line in key[1:-1] if line in caplog.text]
