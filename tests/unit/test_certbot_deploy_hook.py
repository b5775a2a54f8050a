"""examples/certbot-deploy-hook, with an ``aws`` of our own on the PATH."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from certifier.certificate import SECRET_KEYS, check_material, material_from_secret
from certifier.models import Policy
from certifier.vocabulary import SslMode
from sandbox.pki import Authority

HOOK = Path(__file__).resolve().parents[2] / "examples" / "certbot-deploy-hook"
ROOT = Authority.root()
LEAF = ROOT.intermediate().issue(dns=["orders.db.example.com"])

# Answers as the AWS CLI does, from and to a file beside itself, and notes its arguments.
FAKE_AWS = f"""#!{sys.executable}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
operation, options = sys.argv[2], sys.argv[3:]
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if (here / f"{{operation}}.fails").exists():
    sys.exit((here / f"{{operation}}.fails").read_text())
if operation == "get-secret-value":
    print(json.dumps((here / "secret").read_text()))
else:
    name = options[options.index("--secret-string") + 1].removeprefix("file://")
    (here / "secret").write_text(open(name).read())
    print("{{}}")
"""


class Machine:
    """A machine with a renewed lineage, a fake AWS CLI and one secret."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.lineage = folder / "live" / "orders.db.example.com"
        self.lineage.mkdir(parents=True)
        (self.lineage / "fullchain.pem").write_bytes(LEAF.fullchain_pem)
        (self.lineage / "privkey.pem").write_bytes(LEAF.key_pem)
        aws = self.bin / "aws"
        aws.write_text(FAKE_AWS)
        aws.chmod(0o755)
        self.store({})

    def store(self, secret: object) -> None:
        (self.bin / "secret").write_text(secret if isinstance(secret, str) else json.dumps(secret))

    @property
    def secret(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.bin / "secret").read_text())
        return found

    @property
    def calls(self) -> list[list[str]]:
        path = self.bin / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def run(self, *argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
        usual = {"PATH": str(self.bin), "RENEWED_LINEAGE": str(self.lineage)}
        return subprocess.run(
            [sys.executable, HOOK, *argv],
            env={**usual, **environ},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_renewed_pair_is_put_into_the_secret(machine: Machine) -> None:
    """After the hook, the secret holds what our intake accepts, and the CA that was there."""
    machine.store({"ca": ROOT.certificate_pem.decode(), "tls.crt": "old", "tls.key": "old"})
    done = machine.run("dms/orders-tls")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(machine.secret) == ["ca", "fullchain.pem", "privkey.pem"]
    parts = material_from_secret(machine.secret)
    result = check_material(
        certificate=parts.certificate,
        private_key=parts.private_key,
        chain=parts.chain,
        ca=parts.ca,
        host="orders.db.example.com",
        ssl_mode=SslMode.VERIFY_FULL,
        now=LEAF.certificate.not_valid_before_utc,
        policy=Policy(),
    )
    assert result.accepted
    assert result.leaf_sha256 == LEAF.fingerprint


def test_the_same_pair_again_writes_nothing(machine: Machine) -> None:
    """A hook that runs twice makes no second version of the secret."""
    assert machine.run("dms/orders-tls").returncode == 0
    assert machine.run("dms/orders-tls").returncode == 0
    assert [call[1] for call in machine.calls] == [
        "get-secret-value",
        "put-secret-value",
        "get-secret-value",
    ]


def test_the_key_is_in_no_argument_and_no_output(machine: Machine) -> None:
    """Other users of the machine see the arguments of every process."""
    done = machine.run("dms/orders-tls")
    text = json.dumps(machine.calls) + done.stdout + done.stderr
    assert "PRIVATE KEY" not in text
    assert LEAF.key_pem.decode().splitlines()[1] not in text


def test_the_secret_may_be_named_in_the_environment(machine: Machine) -> None:
    """A hook in renewal-hooks/deploy gets no argument."""
    assert machine.run(CERTIFIER_SECRET="dms/orders-tls").returncode == 0
    assert machine.calls[0][3] == "dms/orders-tls"


def test_a_secret_without_a_value_is_filled(machine: Machine) -> None:
    """A secret that was only just made has no AWSCURRENT yet."""
    (machine.bin / "get-secret-value.fails").write_text(
        "An error occurred (ResourceNotFoundException) when calling the GetSecretValue operation:"
        " Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"
    )
    assert machine.run("dms/orders-tls").returncode == 0
    assert sorted(machine.secret) == ["fullchain.pem", "privkey.pem"]


@pytest.mark.parametrize(
    ("spoil", "argv", "environ", "words"),
    [
        (None, [], {}, "name one secret"),
        (None, ["a", "b"], {}, "name one secret"),
        (None, ["a"], {"RENEWED_LINEAGE": ""}, "RENEWED_LINEAGE is not set"),
        (None, ["a"], {"RENEWED_LINEAGE": "/nowhere"}, "cannot be read"),
        (None, ["a"], {"PATH": "/nowhere"}, "is not on the PATH"),
        ("not json", ["a"], {}, "is not JSON"),
        ("[1]", ["a"], {}, "not an object"),
    ],
)
def test_what_is_wrong_is_one_line(
    machine: Machine, spoil: str | None, argv: list[str], environ: dict[str, str], words: str
) -> None:
    """Each mistake ends with status 1, one line, nothing written, and no traceback."""
    if spoil is not None:
        machine.store(spoil)
    done = machine.run(*argv, **environ)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "put-secret-value" not in json.dumps(machine.calls)


def test_a_refusal_of_aws_is_reported(machine: Machine) -> None:
    """What the AWS CLI says is passed on, and certbot sees the hook fail."""
    (machine.bin / "put-secret-value.fails").write_text("AccessDeniedException")
    done = machine.run("dms/orders-tls")
    assert done.returncode == 1
    assert "put-secret-value failed: AccessDeniedException" in done.stderr


def test_the_hook_knows_every_name_that_we_know() -> None:
    """No name of an old pair is left beside the new one, to be taken for another pair."""
    scope: dict[str, Any] = {"__name__": "hook"}
    exec(compile(HOOK.read_text(), HOOK.name, "exec"), scope)
    known = {name for part in ("certificate", "private_key", "chain") for name in SECRET_KEYS[part]}
    assert set(scope["REPLACED"]) == known
