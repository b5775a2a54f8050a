"""An endpoint that refers to a secret, as `credentials_mode: secret` makes it."""

from certifier.endpoint.facts import EndpointFields
from certifier.vocabulary import SslMode
from smoke.account import Account
from smoke.book import Book
from smoke.stories.story import Story


def _play(account: Account, book: Book) -> None:
    fields = EndpointFields(
        ssl_mode=SslMode.REQUIRE,
        database_name=account.login.database,
        secret_id=account.request.secret,
        secret_role_arn=account.request.role,
    )
    endpoint = account.endpoint("secret", fields)
    book.check(
        "an endpoint with a secret reads back as it was made",
        endpoint.fields == fields,
        endpoint.fields,
    )
    tested = account.test(endpoint.arn)
    book.check("DMS connects with the secret", tested.passed, tested.message or "")
    if not tested.passed:
        book.failure("the secret is used", tested.message, None)
    both = account.fault(
        "modify_endpoint",
        EndpointArn=endpoint.arn,
        PostgreSQLSettings={
            "SecretsManagerSecretId": account.request.secret,
            "ServerName": account.login.host,
        },
    )
    book.check("a secret and a host exclude each other", both is not None)
    if both is not None:
        book.said("a secret and a host are both sent", f"{both.code}: {both.text}")


STORY = Story(
    name="secret",
    does="create an endpoint that refers to the secret, and test it",
    makes="1 endpoint",
    costs="nothing; about 2 minutes",
    answers=(),
    play=_play,
    needs="--role",
    wanted=lambda request: request.role is not None,
)
