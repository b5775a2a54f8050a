"""``certifier inspect``: exit status, both kinds of output, and several hundred odd files."""

import argparse
import base64
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
    pkcs12,
)

from certifier.cli import inspect, main
from sandbox.pki import Authority, Key, bundle, self_signed

HOST = "orders.db.example.com"
ROOT = Authority.root("Root")
ISSUING = ROOT.intermediate("Issuing CA")
LEAF = ISSUING.issue(dns=[HOST])
PARTS = {
    "certificate": LEAF.certificate_pem,
    "private-key": LEAF.key_pem,
    "chain": LEAF.chain_pem,
    "ca-bundle": ROOT.certificate_pem,
}
pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number")


def inspected(*argv: str | Path) -> int:
    return main(["inspect", *map(str, argv)])


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A sound pair with its chain and CA."""
    paths = {}
    for name, content in PARTS.items():
        paths[name] = tmp_path / f"{name}.pem"
        paths[name].write_bytes(content)
    return paths


def options(files: dict[str, Path]) -> list[str | Path]:
    return [word for name, path in files.items() for word in (f"--{name}", path)]


def test_sound_material_is_accepted(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A sound pair exits with 0 and shows its chain; the key is shown nowhere."""
    assert inspected(*options(files), "--host", HOST) == 0
    out = capsys.readouterr().out
    assert out.startswith("accepted\n")
    for words in (HOST, "CN=Issuing CA", "CN=Root", "EC_prime256v1", LEAF.fingerprint, "days left"):
        assert words in out
    assert LEAF.key_pem.decode().splitlines()[1][:30] not in out


def test_json_has_exactly_the_documented_keys(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Programs get accepted, findings, certificates and chain."""
    assert inspected(*options(files), "--host", "billing.example.com", "--json") == 1
    payload = json.loads(capsys.readouterr().out)
    assert list(payload) == ["accepted", "findings", "certificates", "chain"]
    assert payload["accepted"] is False
    [finding] = payload["findings"]
    assert (finding["cause"], finding["severity"]) == ("hostname_mismatch", "error")
    assert finding["place"] == "intake"
    assert [one["subject"] for one in payload["chain"]] == [
        f"O=Server {HOST}",
        "CN=Issuing CA,O=Certifier tests",
        "CN=Root,O=Certifier tests",
    ]
    assert len(payload["certificates"]) == 3


def test_a_refusal_tells_every_reason_with_its_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Expired, another host and no chain are reported in one run, each with what to do."""
    past = datetime.now(UTC) - timedelta(days=2)
    leaf = ISSUING.issue(dns=["a"], not_before=past - timedelta(days=9), not_after=past)
    (tmp_path / "leaf").write_bytes(leaf.certificate_pem)
    (tmp_path / "ca").write_bytes(ROOT.certificate_pem)
    status = inspected(
        "--certificate", tmp_path / "leaf", "--ca-bundle", tmp_path / "ca", "--host", HOST
    )
    out = capsys.readouterr().out
    assert status == 1
    assert out.startswith("refused\n")
    for cause in ("certificate_expired", "hostname_mismatch", "chain_incomplete"):
        assert f"error: {cause}\n" in out
    assert out.count("\n  do  ") >= 3


def test_errors_come_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever was met first, an error is read before a warning, and a warning before advice."""
    (tmp_path / "ca").write_bytes(ISSUING.certificate_pem)
    assert inspected("--ca-bundle", tmp_path / "ca", "--json") == 1
    weights = [found["severity"] for found in json.loads(capsys.readouterr().out)["findings"]]
    assert weights == ["error", "advice"]


def test_a_secret_is_looked_at_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON that is meant to become the secret holds all parts; what is missing is said."""
    secret = {"tls.crt": LEAF.fullchain_pem.decode(), "tls.key": LEAF.key_pem.decode()}
    file = tmp_path / "secret.json"
    file.write_text(json.dumps({**secret, "ca.crt": ROOT.certificate_pem.decode()}))
    assert inspected("--certificate", file, "--host", HOST) == 0
    assert capsys.readouterr().out.startswith("accepted")
    file.write_text(json.dumps({"tls.crt": secret["tls.crt"], "schluessel": secret["tls.key"]}))
    assert inspected("--certificate", file) == 1
    out = capsys.readouterr().out
    assert "error: secret_incomplete" in out
    assert "tls.crt, schluessel" in out
    file.write_text('{\n"tls.crt": "x"\n"k": 1}')
    assert inspected("--certificate", file) == 1
    assert "line 3, column 1" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["certificate", "ca-bundle", "private-key", "chain"])
def test_each_file_can_be_looked_at_alone(
    name: str, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A bundle is looked at alone as well as a certificate; a key alone lacks its certificate."""
    status = inspected(f"--{name}", files[name])
    assert status == (0 if name in ("certificate", "ca-bundle") else 1)
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--host", HOST],
        ["--certificate", "/nowhere/at/all.pem"],
        ["--certificate", "/"],
        ["--certificate", "nul\0byte"],
        ["--certificate", "x" * 5000],
    ],
)
def test_what_cannot_be_opened_is_wrong_usage(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """No file, or one that cannot be opened, exits with 2 and one line."""
    assert inspected(*argv) == 2
    payload = capsys.readouterr()
    assert payload.out == ""
    assert payload.err.startswith("certifier inspect: ")
    assert len(payload.err.splitlines()) == 1


def test_an_endless_file_is_not_read_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    """A device that never ends is content that is not a certificate."""
    assert inspected("--certificate", "/dev/zero") == 1
    assert "material_too_large" in capsys.readouterr().out


def test_a_hostile_name_cannot_move_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a certificate calls itself is printed escaped."""
    leaf = self_signed(dns=["\x1b]0;owned\x07.example.com"], cn="\x1b[2Jx\u202e\x9b")
    (tmp_path / "leaf").write_bytes(leaf.certificate_pem)
    for more in ([], ["--json"], ["--host", "\x1b[31m"]):
        inspected("--certificate", tmp_path / "leaf", *more)
        out = capsys.readouterr().out
        assert not set("\x1b\x07\x9b\u202e") & set(out)


# ---- several hundred odd files


def keys() -> Iterator[bytes]:
    for password in (None, b"secret"):
        encryption = BestAvailableEncryption(password) if password else NoEncryption()
        for form in (
            PrivateFormat.PKCS8,
            PrivateFormat.TraditionalOpenSSL,
            PrivateFormat.OpenSSH,
        ):
            for encoding in (Encoding.PEM, Encoding.DER):
                try:
                    yield LEAF.private_key.private_bytes(encoding, form, encryption)
                except (TypeError, ValueError, UnsupportedAlgorithm):
                    continue  # a combination that does not exist


def seeds() -> dict[str, bytes]:
    """What people hand over, right and wrong."""
    old = datetime(2001, 1, 1, tzinfo=UTC)
    odd = [
        self_signed(dns=[HOST]),
        self_signed(dns=[HOST], version=1),
        self_signed(dns=[HOST], key=Key.ED25519),
        ROOT.issue(dns=[b"\xff", HOST], ips=[b"\x01"]),
        ROOT.issue(san_raw=b"\x30\x84\xff\xff\xff\xff"),
        ROOT.issue(dns=[HOST], cn=["one", "two"]),
        ROOT.issue(dns=[HOST], not_before=old, not_after=old + timedelta(days=1)),
        ROOT.issue(cn=["x" * 64] * 200),
    ]
    chain = bundle(LEAF, ISSUING, ROOT)
    store = pkcs12.serialize_key_and_certificates(
        b"n", LEAF.private_key, LEAF.certificate, None, NoEncryption()
    )
    found = [
        *PARTS.values(),
        *keys(),
        *(one.certificate_pem for one in odd),
        *(one.certificate_der for one in odd),
        chain,
        chain.replace(b"\n", b"\r\n"),
        chain.replace(b"\n", b"\\n"),
        chain.replace(b"\n", b" "),
        chain.decode().encode("utf-16"),
        chain.decode().encode("utf-16-be"),
        b"\xef\xbb\xbf" + chain,
        base64.b64encode(chain),
        chain.lower(),
        chain.replace(b"-----", b"----"),
        bundle(ISSUING, ROOT),
        ROOT.crl(),
        store,
        pkcs7.serialize_certificates([LEAF.certificate], Encoding.PEM),
        pkcs7.serialize_certificates([LEAF.certificate], Encoding.DER),
        b"",
        b"\n",
        b"\0" * 1000,
        b"<html></html>",
        b'{"certificate": null}',
        "Überraschung".encode(),
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    ]
    return {f"{number:03}": content for number, content in enumerate(found)}


def mutations(content: bytes, chance: random.Random) -> Iterator[bytes]:
    """A few ways to spoil a file."""
    if len(content) < 2:
        return
    for _ in range(5):
        at = chance.randrange(len(content))
        yield content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :]
    cut = chance.randrange(len(content))
    yield content[:cut]
    yield content[cut:]
    yield content[:cut] + chance.randbytes(20) + content[cut:]
    yield content + content[: chance.randrange(len(content))]


@pytest.mark.slow
def test_every_odd_file_ends_with_a_finding_or_acceptance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Several hundred odd files, in every place: status 0 or 1, and never nothing to say."""
    chance = random.Random(20261124)
    contents = []
    for content in seeds().values():
        contents += [content, *mutations(content, chance)]
    assert len(contents) > 400
    sound = {name: tmp_path / name for name in PARTS}
    for name, path in sound.items():
        path.write_bytes(PARTS[name])
    accepted = 0
    odd = tmp_path / "odd"
    parser = argparse.ArgumentParser()
    inspect.register(parser.add_subparsers())
    for number, content in enumerate(contents):
        odd.write_bytes(content)
        names = list(PARTS)
        used = sound | {names[number % len(names)]: odd} if number % 3 else {"certificate": odd}
        argv = ["inspect", *map(str, options(used)), "--host", HOST, "--json"]
        status = inspect.run(parser.parse_args(argv))
        out, err = capsys.readouterr()
        payload: dict[str, Any] = json.loads(out)
        assert err == ""
        assert status in (0, 1)
        assert payload["accepted"] is (status == 0)
        assert payload["findings"] or payload["accepted"]
        accepted += status == 0
    assert 10 < accepted < len(contents) - 100
