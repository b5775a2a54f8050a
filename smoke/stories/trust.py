"""Trust anchors that are not roots: a server that signed itself, and an intermediate alone."""

from certifier.endpoint.facts import EndpointFields
from certifier.vocabulary import Cause, SslMode
from smoke.account import Account, Tested
from smoke.book import Book
from smoke.stories.story import Story


def _tested(account: Account, what: str, pem: str, fields: EndpointFields) -> Tested:
    ca = account.certificate(f"{what}-ca", pem)
    endpoint = account.endpoint(what, fields.model_copy(update={"certificate_arn": ca.arn}))
    return account.test(endpoint.arn)


def _self_signed(account: Account, book: Book) -> None:
    server = account.request.self_signed
    assert server is not None
    fields = account.fields(
        SslMode.VERIFY_CA, server_name=server.host, port=server.port or account.login.port
    )
    reached = account.endpoint("reached", fields.model_copy(update={"ssl_mode": SslMode.REQUIRE}))
    reaching = account.test(reached.arn)
    book.check("DMS reaches the self-signed server", reaching.passed, reaching.message or "")
    if not reaching.passed:
        return
    tested = _tested(account, "self-signed", server.ca_pem, fields)
    book.answer("self_signed_trusted", tested.passed, tested.message or "")


def _intermediate(account: Account, book: Book) -> None:
    pem = account.request.intermediate_pem
    assert pem is not None
    tested = _tested(account, "intermediate", pem, account.fields(SslMode.VERIFY_CA))
    situation = "the CA of the endpoint is an intermediate, alone"
    if tested.passed:
        book.said(situation, "DMS connects")
    else:
        book.failure(situation, tested.message, Cause.CERTIFICATE_REJECTED)


SELF_SIGNED = Story(
    name="self-signed",
    does="verify a self-signed server against its own certificate",
    makes="1 DMS certificate, 2 endpoints",
    costs="nothing; about 3 minutes",
    answers=("self_signed_trusted",),
    play=_self_signed,
    needs="--self-signed-host and --self-signed-ca",
    wanted=lambda request: request.self_signed is not None,
)
INTERMEDIATE = Story(
    name="intermediate",
    does="verify the server against its intermediate CA alone, as libpq would not",
    makes="1 DMS certificate, 1 endpoint",
    costs="nothing; about 2 minutes",
    answers=(),
    play=_intermediate,
    needs="--intermediate",
    wanted=lambda request: request.intermediate_pem is not None,
)
