"""`certifier probe` and `inspect` take the words of a source, and propose the one that fits."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from certifier.cli import inspect, main, probe
from certifier.roots import Roots
from sandbox.pki import Authority
from sandbox.postgres import Access, Postgres

HOST = "orders.abc123.eu-west-1.rds.amazonaws.com"
ROOT = Authority.root("Amazon RDS eu-west-1 Root CA RSA2048 G1")
LEAF = ROOT.intermediate("Amazon RDS eu-west-1 Subordinate CA RSA2048 G1").issue(dns=[HOST])
ROOTS = Roots(
    read_public=lambda: (Authority.root("Public root").certificate_pem, "test store"),
    read_rds=lambda: ROOT.certificate_pem,
)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres.start(tls=LEAF, hba=Access.TLS_ONLY) as server:
        yield server


def run(module: ModuleType, *words: str) -> int:
    parser = argparse.ArgumentParser()
    module.register(parser.add_subparsers())
    status: int = module.run(parser.parse_args(list(words)), roots=ROOTS)
    return status


def probed(postgres: Postgres, *more: str, host: str = HOST) -> int:
    return run(probe, "probe", host, "--address", "127.0.0.1", "--port", str(postgres.port), *more)


def test_the_roots_of_the_hosts_region_verify_it(
    postgres: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file is fetched or found first."""
    assert probed(postgres, "--ca-bundle", "rds", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["evidence"]["anchor"]["subject"].startswith("CN=Amazon RDS eu-west-1 Root CA")
    assert answer["findings"] == []


@pytest.mark.parametrize(
    "more", [(), ("--ca-bundle", "letsencrypt.pem"), ("--ca-bundle", "public")]
)
def test_without_the_right_ca_the_word_is_proposed(
    postgres: Postgres,
    more: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether none was given, or another one: with the whole command."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "letsencrypt.pem").write_bytes(Authority.root("Other").certificate_pem)
    assert probed(postgres, *more, "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    (hint,) = [found for found in answer["findings"] if found["cause"] == "named_trust_fits"]
    assert "CN=Amazon RDS eu-west-1 Root CA RSA2048 G1" in hint["seen"]
    assert hint["remedy"] == f"certifier probe {HOST} --ca-bundle rds"
    assert probed(postgres, *more) == 1
    assert "--ca-bundle rds" in "".join(capsys.readouterr().out.split("\n")).replace("  ", "")


def test_a_host_of_another_name_is_not_sent_to_rds(
    postgres: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    """The word could not be used for it: its Region is not in its name."""
    assert probed(postgres, "--json", host="orders.db.example.com") == 1
    answer = json.loads(capsys.readouterr().out)
    assert "named_trust_fits" not in [found["cause"] for found in answer["findings"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((HOST, "--ca-bundle", "public", "--ssl-mode", "verify-ca"), "public is for verify-full"),
        (("orders.db.example.com", "--ca-bundle", "rds"), "rds is for hosts of RDS"),
        (
            ("a.proxy-b.eu-west-1.rds.amazonaws.com", "--ca-bundle", "rds"),
            "rds is not for an RDS Proxy, whose certificate is of Amazon's public CA",
        ),
        (
            ("a.b.xx-north-9.rds.amazonaws.com", "--ca-bundle", "rds"),
            "no root for xx-north-9 is known to this version",
        ),
        ((HOST, "--ca-bundle", "./rds"), "rds: No such file or directory"),
        ((HOST, "--ca-bundle", "RDS"), "RDS: No such file or directory"),
    ],
)
def test_a_word_that_does_not_fit_is_wrong_usage(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit status 2, with what to do; a file of such a name is named with its folder."""
    monkeypatch.chdir(tmp_path)
    assert run(probe, "probe", *words) == 2
    assert f"--ca-bundle: {said}" in capsys.readouterr().err


def test_a_file_with_the_name_of_a_word_is_a_file(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``./public`` is what lies there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "public").write_bytes(ROOT.certificate_pem)
    assert probed(postgres, "--ca-bundle", "./public") == 0
    assert probed(postgres, "--ca-bundle", "public") == 1


def test_the_words_of_libpq_stay(postgres: Postgres, capsys: pytest.CaptureFixture[str]) -> None:
    """``system`` still means the CAs of this system."""
    assert probed(postgres, "--ca-bundle", "system", "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert "the CAs of its maker" in answer["verdicts"]["verify-full"]["seen"]


def test_inspect_takes_the_words_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pair against the roots of the product, offline."""
    pair = ("inspect", "--certificate", str(tmp_path / "pair.pem"))
    (tmp_path / "pair.pem").write_bytes(LEAF.fullchain_pem)
    assert run(inspect, *pair, "--ca-bundle", "rds", "--host", HOST) == 0
    assert capsys.readouterr().out.startswith("accepted")
    assert run(inspect, *pair, "--ca-bundle", "public", "--host", HOST) == 1
    assert "not in the CA bundle" in capsys.readouterr().out
    assert run(inspect, *pair, "--ca-bundle", "rds") == 2
    assert "rds needs the host" in capsys.readouterr().err
    assert run(inspect, *pair, "--ca-bundle", "public") == 2
    assert "public is for verify-full alone" in capsys.readouterr().err


def test_the_roots_of_the_product_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    """The data and the pinned store are found by the installed command."""
    assert main(["inspect", "--ca-bundle", "letsencrypt", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    shown = {one["names"]["cn"] for one in answer["certificates"]}
    assert {"ISRG Root X2"} <= shown <= {"ISRG Root X1", "ISRG Root X2"}  # X1 ends in June 2035
    assert main(["inspect", "--ca-bundle", "rds", "--host", HOST, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {"eu-west-1" in one["subject"] for one in answer["certificates"]} == {True}
