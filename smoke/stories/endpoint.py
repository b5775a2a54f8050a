"""One endpoint: created, tested, changed, broken in every way that DMS's words are wanted for."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from certifier.aws.dms import AlreadyExists, Deletion, TestStart
from certifier.diagnosis import explain
from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.vocabulary import Cause, SslMode
from sandbox.dms.switches import FailureStyle
from sandbox.pki import Authority, Key
from smoke.account import ENDPOINT_SECONDS, Account, Broken, Tested
from smoke.book import Book
from smoke.stories.story import Story

WATCHED = 60.0
"""Seconds in which a hidden test would have begun."""

_PROVIDER = re.compile(r"Cannot connect to ODBC provider")
_SERVER_PREFIX = re.compile(r"connection to server at ")


@dataclass(frozen=True)
class _Stage:
    """The endpoint under test, and two DMS certificates: of its CA and of another."""

    account: Account
    book: Book
    endpoint: Endpoint
    right: str
    wrong: str


def _play(account: Account, book: Book) -> None:
    right = account.certificate("ca", account.request.ca_pem).arn
    other = Authority.root("Smoke other", key=Key.RSA_2048)
    wrong = account.certificate("other-ca", other.certificate_pem.decode()).arn
    # Of the form of a canary's, and as long: IAM lets the steps delete by it.
    resource = f"certifier-smoke-{secrets.token_hex(7)}"
    fields = account.fields(SslMode.VERIFY_CA, right)
    endpoint = account.endpoint("endpoint", fields, resource=resource)
    book.check(
        "an endpoint's ARN ends as it was asked to",
        endpoint.arn.endswith(f":endpoint:{resource}"),
        endpoint.arn.rpartition(":")[2],
    )
    stage = _Stage(account, book, endpoint, right, wrong)
    _created(stage)
    _connects(stage)
    _in_use(stage)
    _modified(stage)
    _repaired(stage)
    _broken(stage)
    _without_certificate(stage)
    _with_plugin(stage)
    _two_endpoints(stage)


def _created(stage: _Stage) -> None:
    account, book, endpoint = stage.account, stage.book, stage.endpoint
    found, seconds = account.watch(WATCHED, lambda: account.connection(endpoint.arn))
    note = f"after {seconds:.0f} s" if found else f"not within {WATCHED:.0f} s"
    book.answer("hidden_test_after_create", found is not None, note)
    shown = account.described(endpoint.arn)
    settings: Mapping[str, Any] = shown.get("PostgreSQLSettings", {})
    book.answer("plain_fields_mirrored", "ServerName" in settings, ", ".join(sorted(settings)))
    book.check(
        "an endpoint's type comes back in capitals",
        shown["EndpointType"] == "SOURCE",
        shown["EndpointType"],
    )
    book.check("an endpoint never shows its password", account.login.password not in repr(shown))
    wanted = account.fields(SslMode.VERIFY_CA, stage.right)
    book.check("an endpoint reads back as it was made", endpoint.fields == wanted, endpoint.fields)
    book.check("an endpoint carries our tags", account.dms.tags(endpoint.arn) == account.tags)
    again = account.dms.create_endpoint(
        endpoint.identifier,
        "source",
        "postgres",
        wanted,
        password=account.login.password,
        tags=account.tags,
    )
    book.check(
        "creating a taken identifier says so",
        isinstance(again, AlreadyExists),
        type(again).__name__,
    )


def _connects(stage: _Stage) -> None:
    """Nothing of the rest makes sense unless DMS reaches the server."""
    account, book, arn = stage.account, stage.book, stage.endpoint.arn
    account.quiet(arn)
    first = account.start_test(arn)
    book.check("a test is accepted", first is TestStart.ACCEPTED, first)
    fault = account.fault(
        "test_connection", EndpointArn=arn, ReplicationInstanceArn=account.instance
    )
    if fault is not None:
        book.said("a second test is started at once", f"{fault.code}: {fault.text}")
        book.check(
            'a test under way refuses another with "already being tested"',
            "already being tested" in fault.text,
            fault.text,
        )
    tested = account.test(arn)
    if not tested.passed:
        said = explain(tested.message or "")
        raise Broken(
            f"DMS does not reach the server: {said.cause.value}: {account.hide(said.seen)}"
        )
    book.check("DMS connects with verify-ca and the CA that was given", tested.passed)


def _in_use(stage: _Stage) -> None:
    account, book = stage.account, stage.book
    fault = account.fault("delete_certificate", CertificateArn=stage.right)
    if fault is None:
        raise Broken("DMS deleted a certificate that an endpoint uses")
    book.said("a certificate in use is deleted", f"{fault.code}: {fault.text}")
    book.check(
        "a certificate in use stays",
        account.dms.delete_certificate(stage.right) is Deletion.IN_USE,
    )
    acm = account.instance.replace(":dms:", ":acm:").rsplit(":", 2)[0] + ":certificate/smoke"
    fault = account.fault("modify_endpoint", EndpointArn=stage.endpoint.arn, CertificateArn=acm)
    book.check("an ACM certificate is not a DMS certificate", fault is not None)
    if fault is not None:
        book.said("an endpoint is given an ACM certificate", f"{fault.code}: {fault.text}")


def _modified(stage: _Stage) -> None:
    """SslMode and CertificateArn alone: what else changes, and does DMS test by itself?"""
    account, book, endpoint = stage.account, stage.book, stage.endpoint
    before = account.described(endpoint.arn)
    fields = EndpointFields(ssl_mode=SslMode.VERIFY_CA, certificate_arn=stage.wrong)
    account.patiently("a change", lambda: account.dms.modify_endpoint(endpoint, fields))

    def look() -> str | None:
        status = getattr(account.connection(endpoint.arn), "status", None)
        return status if status in ("testing", "failed") else None

    found, seconds = account.watch(WATCHED, look)
    note = f"'{found}' after {seconds:.0f} s" if found else f"nothing within {WATCHED:.0f} s"
    book.answer("hidden_test_after_modify", found is not None, note)
    if found is not None:
        book.answer("hidden_test_delay", seconds, "with the time that an old verdict is shown")
    account.active(endpoint.arn)
    after = account.described(endpoint.arn)
    meant = {"SslMode", "CertificateArn", "Status", "PostgreSQLSettings"}
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    old, new = before.get("PostgreSQLSettings", {}), after.get("PostgreSQLSettings", {})
    inner = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    others = (changed - meant) | inner
    book.answer(
        "modify_resets_database_name",
        "DatabaseName" in others,
        f"changed beside what was sent: {', '.join(sorted(others)) or 'nothing'}",
    )
    book.check(
        "a change of mode and CA touches nothing but, perhaps, the database name",
        others <= {"DatabaseName"},
        ", ".join(sorted(others)),
    )
    tested = _test(stage, "the CA of the endpoint is another one", Cause.CERTIFICATE_REJECTED)
    message = tested.message or ""
    style = FailureStyle.PLAIN
    if "[unixODBC]" in message:
        style = FailureStyle.UNIXODBC
    elif _PROVIDER.search(message):
        style = FailureStyle.PROVIDER
    if not tested.passed:
        book.answer("failure_style", style.value)
        book.answer("server_prefix_shown", bool(_SERVER_PREFIX.search(message)))


def _repaired(stage: _Stage) -> None:
    """The right CA again; then `require` with the wrong one."""
    account, book, arn = stage.account, stage.book, stage.endpoint.arn
    account.change(stage.endpoint, account.fields(SslMode.VERIFY_CA, stage.right))
    passed = account.test(arn).passed
    book.check("an endpoint that is rolled back connects again", passed)
    if passed:
        book.answer("old_message_kept", "LastFailureMessage" in account.shown(arn))
    account.change(stage.endpoint, account.fields(SslMode.REQUIRE, stage.wrong))
    tested = account.test(arn)
    book.answer("require_uses_root_certificate", not tested.passed, tested.message or "")


def _broken(stage: _Stage) -> None:
    """DMS's words for what goes wrong most often."""
    account = stage.account
    require = SslMode.REQUIRE, stage.right
    verified = SslMode.VERIFY_FULL, stage.right
    cases: list[tuple[str, Cause, EndpointFields, str | None]] = [
        (
            "the password is wrong",
            Cause.PASSWORD_REJECTED,
            account.fields(*require),
            "smoke-certifier-wrong",
        ),
        (
            "there is no such database",
            Cause.DATABASE_MISSING,
            account.fields(*require, database_name="certifier_smoke_nowhere"),
            None,
        ),
        (
            "the host's name does not resolve",
            Cause.DNS_FAILED,
            account.fields(*require, server_name="nowhere.invalid"),
            None,
        ),
    ]
    if account.request.alias is not None:
        fields = account.fields(*verified, server_name=account.request.alias)
        cases.append(("the certificate is not for the host", Cause.HOSTNAME_MISMATCH, fields, None))
    for situation, cause, fields, password in cases:
        account.change(stage.endpoint, fields, password=password)
        _test(stage, situation, cause)


def _test(stage: _Stage, situation: str, cause: Cause) -> Tested:
    """Test settings that cannot work."""
    tested = stage.account.test(stage.endpoint.arn)
    stage.book.check(f"DMS does not connect when {situation}", not tested.passed)
    if not tested.passed:
        stage.book.failure(situation, tested.message, cause)
    return tested


def _without_certificate(stage: _Stage) -> None:
    account, book = stage.account, stage.book
    identifier = account.will_make("endpoint", "no-ca")
    plain = account.plain(SslMode.VERIFY_CA)
    fault = account.fault("create_endpoint", EndpointIdentifier=identifier, **plain)
    refused = fault is not None
    book.answer("verify_without_certificate_refused", refused, fault.text if fault else "")
    if not refused:
        tested = account.test(account.active(identifier).arn)
        book.check("verify-ca without a CA does not connect", not tested.passed)
        if not tested.passed:
            book.failure("verify-ca has no CA", tested.message, Cause.CA_BUNDLE_MISSING)


def _with_plugin(stage: _Stage) -> None:
    """Is what DescribeEndpoints shows of a setting the word that CreateEndpoint takes?"""
    account, book = stage.account, stage.book
    identifier = account.will_make("endpoint", "plugin")
    settings = {"PluginName": "test-decoding"}
    plain = account.plain(SslMode.REQUIRE, PostgreSQLSettings=settings)
    fault = account.fault("create_endpoint", EndpointIdentifier=identifier, **plain)
    if fault is not None:
        book.said("an endpoint with a plug-in is created", f"{fault.code}: {fault.text}")
        return
    shown = account.described(account.active(identifier).arn)["PostgreSQLSettings"]["PluginName"]
    book.answer("plugin_name_underscored", shown == "test_decoding", shown)


def _two_endpoints(stage: _Stage) -> None:
    account, book = stage.account, stage.book
    other = account.endpoint("second", account.fields(SslMode.REQUIRE))
    account.test(other.arn)
    account.quiet(stage.endpoint.arn)
    pair = stage.endpoint.arn, account.instance
    names = "endpoint-arn", "replication-instance-arn"
    filters = [{"Name": name, "Values": [value]} for name, value in zip(names, pair, strict=True)]
    found = account.raw.describe_connections(Filters=filters)["Connections"]
    arns = {one["EndpointArn"] for one in found}
    book.answer("connection_filters_anded", other.arn not in arns, f"{len(found)} shown")
    deleted = account.patiently(
        "the deletion of a connection",
        lambda: account.dms.delete_connection(other.arn, account.instance),
    )
    account.wait(
        ENDPOINT_SECONDS,
        "a connection to go",
        lambda: True if account.connection(other.arn) is None else None,
    )
    book.check(
        "a connection is deleted, and gone the second time",
        (deleted, account.dms.delete_connection(other.arn, account.instance)) == (True, False),
    )
    account.patiently("a deletion", lambda: account.dms.delete_endpoint(other.arn))
    account.wait(
        ENDPOINT_SECONDS,
        "an endpoint to go",
        lambda: True if account.dms.endpoint(other.arn) is None else None,
    )
    book.check("an endpoint that is gone is gone", not account.dms.delete_endpoint(other.arn))


STORY = Story(
    name="endpoint",
    does="create an endpoint, test it, give it a wrong CA, repair it, break it in four more ways",
    makes="2 DMS certificates, 4 endpoints, their connections on the instance",
    costs="nothing; about 15 minutes; some 15 logins at the server, one with a wrong password",
    answers=(
        "hidden_test_after_create",
        "plain_fields_mirrored",
        "hidden_test_after_modify",
        "hidden_test_delay",
        "modify_resets_database_name",
        "failure_style",
        "server_prefix_shown",
        "old_message_kept",
        "require_uses_root_certificate",
        "verify_without_certificate_refused",
        "connection_filters_anded",
        "plugin_name_underscored",
    ),
    play=_play,
)
