"""ACM: three rules of an import that its documents state in two ways."""

from typing import Any

from botocore.exceptions import ClientError

from certifier.aws.clients import code_of, message_of, translate
from certifier.errors import Refused, Retryable
from sandbox.acm import KeyTypeHeld
from sandbox.pki import Authority, Key, Leaf
from smoke.account import Account, Broken
from smoke.book import Book
from smoke.stories.story import Story

_PACE = 2.0  # seconds; ACM takes one import a second


def _play(account: Account, book: Book) -> None:
    host = account.will_make("acm", "pair")
    rsa = Authority.root("Smoke ACM", key=Key.RSA_2048)
    ec = Authority.root("Smoke ACM EC", key=Key.EC_P256)
    leaf = rsa.issue([host], cn=host, key=Key.RSA_2048)
    arn = _imported(account, leaf, rsa)
    if arn.startswith("arn:"):
        other = ec.issue([host], cn=host, key=Key.EC_P256)
        said = _imported(account, other, ec, arn=arn)
        held = KeyTypeHeld.WHEN_IN_USE if said.startswith("arn:") else KeyTypeHeld.ALWAYS
        book.answer("key_type_held", held.value, _note(said))
    else:
        raise Broken(f"ACM does not take the pair: {arn}")
    said = _imported(account, leaf, None)
    book.answer("chain_required", not said.startswith("arn:"), _note(said))
    crossed = ec.issue([host], cn=host, key=Key.RSA_2048)
    said = _imported(account, crossed, ec)
    book.answer("algorithm_must_match_ca", not said.startswith("arn:"), _note(said))


def _note(said: str) -> str:
    return "taken" if said.startswith("arn:") else said


def _imported(
    account: Account, leaf: Leaf, root: Authority | None, *, arn: str | None = None
) -> str:
    """Import a pair; the ARN, or the service's words when it is not taken."""
    account.sleep(_PACE)
    params: dict[str, Any] = {"Certificate": leaf.certificate_pem, "PrivateKey": leaf.key_pem}
    if root is not None:
        params["CertificateChain"] = root.certificate_pem
    if arn is None:
        params["Tags"] = [{"Key": key, "Value": value} for key, value in account.tags.items()]
    else:
        params["CertificateArn"] = arn
    try:
        return str(account.acm.import_certificate(**params)["CertificateArn"])
    except ClientError as error:
        ours = translate(error)
        if isinstance(ours, Refused | Retryable):
            raise ours from None
        return account.hide(f"{code_of(error)}: {message_of(error)}")


STORY = Story(
    name="acm",
    does="import throwaway pairs: another kind of key, no chain, a CA of another kind",
    makes="up to 3 certificates in ACM",
    costs="nothing; 4 of the 5,000 imports of a year; under a minute",
    answers=("key_type_held", "chain_required", "algorithm_must_match_ca"),
    play=_play,
    needs="--with-acm",
    wanted=lambda request: request.with_acm,
)
