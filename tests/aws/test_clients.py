"""What AWS answers, in our words."""

from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from certifier.aws.clients import Clients, code_of, message_of, translate, translated
from certifier.errors import Busy, CertifierError, Refused, Throttled, Unavailable, Unexpected
from certifier.vocabulary import Cause


def answered(code: str, status: int = 400, message: str = "the secret text") -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        "GetItem",
    )


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (answered("ThrottlingException"), Throttled),
        (answered("ProvisionedThroughputExceededException"), Throttled),
        (answered("SlowDown", 503), Throttled),
        (answered("TransactionConflictException"), Busy),
        (answered("InternalServerError", 500), Unavailable),
        (answered("WhateverItIs", 502), Unavailable),
        (answered("ValidationException"), Unexpected),
        (answered("AccessDeniedException"), Refused),
        (ReadTimeoutError(endpoint_url="x"), Unavailable),
        (ConnectTimeoutError(endpoint_url="x"), Unavailable),
        (EndpointConnectionError(endpoint_url="x"), Unavailable),
        (NoCredentialsError(), Refused),
        (ParamValidationError(report="the secret text"), Unexpected),
    ],
)
def test_each_kind_of_error_has_one_of_ours(
    error: ClientError | BotoCoreError, ours: type[CertifierError]
) -> None:
    """What passes by itself is separate from what needs a person; no text of AWS enters ours."""
    translated = translate(error)
    assert type(translated) is ours
    assert "secret text" not in str(translated)


def test_a_denied_call_says_which() -> None:
    """The operation and AWS's own words, which name action and resource, are kept to be shown."""
    denied = translate(answered("AccessDenied", 403, "not authorized to perform: s3:GetObject"))
    assert isinstance(denied, Refused)
    assert denied.cause is Cause.AWS_DENIED
    assert denied.seen == "GetItem: not authorized to perform: s3:GetObject"


def test_no_chain_leads_back_to_the_text() -> None:
    """Our error does not carry botocore's along, which may quote what was sent."""
    with pytest.raises(Unexpected) as caught, translated():
        raise answered("ValidationException")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_code_and_message_are_empty_when_nobody_answered() -> None:
    """A time-out has neither code nor text."""
    assert code_of(ReadTimeoutError(endpoint_url="x")) == ""
    assert message_of(ReadTimeoutError(endpoint_url="x")) == ""
    assert code_of(answered("X")) == "X"


def test_every_client_has_time_limits(clients: Clients) -> None:
    """No call waits for ever, and an import into ACM is never repeated behind our back."""
    settings: list[Any] = [
        clients.client("dms").meta.config,
        clients.client("dynamodb").meta.config,
        clients.client("s3").meta.config,
    ]
    for used in settings:
        assert (used.connect_timeout, used.read_timeout) == (3, 10)
        assert used.retries["total_max_attempts"] == 3
    acm: Any = clients.client("acm").meta.config
    assert acm.retries["total_max_attempts"] == 1
    assert clients.client("s3") is clients.client("s3")
