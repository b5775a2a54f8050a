"""The command for a rollback by hand, pasted into a shell, with the real ``aws`` command."""

import json
import shlex
import shutil
from typing import Any

import pytest

from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.run.by_hand import command
from certifier.run.documents import UndoLog
from certifier.vocabulary import SettingsUnderTest, SslMode
from tests.served.conftest import Served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("jq") is None, reason="the command needs jq"),
]


def connects(served: Served, arn: str, instance: str) -> str:
    """How DMS's test of an endpoint ends."""
    which = f"Name=endpoint-arn,Values={arn}"
    begin = f"aws dms test-connection --endpoint-arn {arn} --replication-instance-arn {instance}"
    served.until(lambda: served.run(begin).returncode == 0)
    look = f"aws dms describe-connections --filters {which} --query 'Connections[0].Status'"
    served.until(lambda: "testing" not in served.shell(look))
    return str(served.json(look))


@pytest.fixture(scope="module")
def before(served: Served) -> Endpoint:
    """An endpoint with a login of its own, with which DMS connects."""
    held = "aws secretsmanager get-secret-value --secret-id dms/orders --query SecretString"
    login: dict[str, Any] = json.loads(served.json(held))
    served.shell(
        "aws dms create-endpoint --endpoint-identifier by-hand --endpoint-type source"
        f" --engine-name postgres --server-name {login['host']} --port {login['port']}"
        f" --database-name orders --username {login['username']}"
        f" --password {shlex.quote(login['password'])} --ssl-mode require"
    )
    find = "aws dms describe-endpoints --filters Name=endpoint-id,Values=by-hand"
    (found,) = served.json(find)["Endpoints"]
    return Endpoint(
        arn=found["EndpointArn"],
        identifier="by-hand",
        endpoint_type="source",
        engine=found["EngineName"],
        status="active",
        fields=EndpointFields(
            ssl_mode=SslMode.REQUIRE,
            server_name=found["ServerName"],
            port=found["Port"],
            database_name=found["DatabaseName"],
            username=found["Username"],
        ),
    )


@pytest.mark.parametrize("shell", [s for s in ("bash", "dash", "zsh") if shutil.which(s)])
def test_a_password_is_set_back_by_the_command_that_is_shown(
    served: Served, before: Endpoint, shell: str
) -> None:
    """DMS connects with it again, by the version in the secret that is named."""
    list_them = "aws dms describe-replication-instances --query 'ReplicationInstances[0].*'"
    at = next(one for one in served.json(list_them) if ":rep:" in str(one))
    assert connects(served, before.arn, at) == "successful"
    secret = served.json("aws secretsmanager describe-secret --secret-id dms/orders")
    log = UndoLog(
        endpoint_arn=before.arn,
        endpoint_identifier=before.identifier,
        fields=("ssl_mode",),
        old=EndpointFields(ssl_mode=SslMode.REQUIRE),
        new=EndpointFields(ssl_mode=SslMode.NONE),
        credentials=secret["ARN"],
        old_password_version=next(iter(secret["VersionIdsToStages"])),
        new_password_version="another",
        written=SettingsUnderTest.NEW,
    )
    shown = command(log, before)
    changes = shown.partition('printf %s "$P" | ')[2].removesuffix(")")
    served.shell(changes.replace("file:///dev/stdin", "another"))
    assert connects(served, before.arn, at) == "failed"
    done = served.run(shlex.join([shell, "-c", shown]))
    assert done.returncode == 0, done.stderr
    assert connects(served, before.arn, at) == "successful"
