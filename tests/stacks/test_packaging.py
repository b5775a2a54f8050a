"""What reaches Lambda: the code that we allow, and wheels for its processor."""

import filecmp
import struct
from pathlib import Path

import pytest

from stacks import packaging
from tests.stacks.conftest import ROOT, context

AARCH64 = 183  # e_machine of ELF for AArch64 (ELF for the Arm 64-bit Architecture, 5.2)
LAMBDA_LIMIT = 250 * 1024 * 1024  # unzipped, layers included


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer as a deployment would carry it."""
    target = tmp_path_factory.mktemp("layer")
    packaging.install(target)
    return target


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code asset as CDK stages it."""
    from aws_cdk import App

    from stacks.certifier_stack import CertifierStack
    from stacks.settings import Settings

    out = tmp_path_factory.mktemp("cdk.out")
    app = App(context=context(), outdir=str(out))
    settings = Settings.from_context(app.node.get_all_context())
    CertifierStack(app, settings.stack, settings=settings)
    app.synth()
    (staged,) = [p for p in out.glob("asset.*") if (p / "certifier").is_dir()]
    return staged


def shared_objects(folder: Path) -> list[Path]:
    """Return the native libraries."""
    return [p for p in folder.rglob("*.so*") if p.is_file()]


def test_native_libraries_are_for_arm64(layer: Path) -> None:
    """Every shared object is ELF, 64 bit, AArch64, whatever machine built the layer."""
    found = shared_objects(layer)
    assert {p.relative_to(layer).parts[0] for p in found} >= {"cryptography", "pydantic_core"}
    for path in found:
        header = path.read_bytes()[:20]
        assert header[:5] == b"\x7fELF\x02", path
        assert struct.unpack("<H", header[18:20])[0] == AARCH64, path


def test_native_libraries_are_for_the_python_of_the_functions(layer: Path) -> None:
    """Extension modules are built for CPython 3.13, or for the stable ABI."""
    modules = [p.name for p in shared_objects(layer) if "cpython" in p.name]
    assert modules
    assert all(".cpython-313-aarch64" in name for name in modules)


def test_the_layer_is_the_same_every_time(layer: Path, tmp_path: Path) -> None:
    """Two builds hold the same bytes: a deployment changes it only when the lock changes."""
    packaging.install(tmp_path)
    first = sorted(p.relative_to(layer) for p in layer.rglob("*"))
    assert first == sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*"))
    files = [str(p) for p in first if (layer / p).is_file()]
    _, differ, failed = filecmp.cmpfiles(layer, tmp_path, files, shallow=False)
    assert (differ, failed) == ([], [])


def test_the_layer_fits_and_holds_what_the_handlers_import(layer: Path) -> None:
    """boto3 is ours, not the runtime's; nothing of the workshop is in it."""
    size = sum(p.stat().st_size for p in layer.rglob("*") if p.is_file())
    assert size < LAMBDA_LIMIT / 2
    top = {p.name for p in layer.iterdir()}
    assert {"boto3", "pg8000", "cryptography", "aws_lambda_powertools", "tzdata"} <= top
    assert {"aws_xray_sdk", "certifi", "jinja2", "pydantic"} <= top
    assert not {"moto", "pytest", "rich", "aws_cdk", "bin"} & top


def test_a_missing_wheel_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without set-up there is no wheelhouse: the error names the command that fills it."""
    monkeypatch.setattr(packaging, "WHEELHOUSE", tmp_path / "nowhere")
    with pytest.raises(RuntimeError, match="make setup"):
        packaging.install(tmp_path / "layer")


def test_only_our_code_is_in_the_code_asset(code: Path) -> None:
    """The asset holds lambdas and certifier without the command line, and the roots of RDS."""
    files = [p.relative_to(code) for p in code.rglob("*") if p.is_file()]
    assert {p.parts[0] for p in files} == {"lambdas", "certifier"}
    assert {p.suffix for p in files} <= {".py", ".html", ".j2", ".css", ".js", ".pem"}
    assert [p.name for p in files if p.suffix == ".pem"] == ["rds-g1-roots.pem"]
    assert not [p for p in files if p.parts[1].startswith(("cli", "__main__"))]


def test_all_of_our_code_is_in_the_code_asset(code: Path) -> None:
    """What the tests import is what Lambda imports."""
    ours = {
        path.relative_to(ROOT)
        for top in ("lambdas", "certifier")
        for path in (ROOT / top).rglob("*.py")
        if not path.is_relative_to(ROOT / "certifier" / "cli")
        and path.relative_to(ROOT) not in (Path("certifier/cli.py"), Path("certifier/__main__.py"))
    }
    assert {p.relative_to(code) for p in code.rglob("*.py")} == ours


def test_no_lock_or_list_holds_an_address() -> None:
    """Locks name packages and digests; where they come from is each machine's own setting."""
    locks = [*ROOT.glob("requirements*"), *(ROOT / "lambdas").glob("requirements*")]
    assert len(locks) == 6
    for lock in locks:
        assert "://" not in lock.read_text(encoding="utf-8"), lock
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text(encoding="utf-8")


def test_the_npm_lock_serves_every_platform() -> None:
    """PostgreSQL's four majors are locked for Linux and macOS on both processors."""
    lock = (ROOT / "package-lock.json").read_text(encoding="utf-8")
    for major in (15, 16, 17, 18):
        for platform in ("linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"):
            assert f'"node_modules/postgres-{major}-{platform}"' in lock
