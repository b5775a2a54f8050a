"""What the functions are made of: one asset with our code, one layer with the hashed wheels.

Both are built from files that set-up has put in place, so synthesizing needs neither Docker nor a
network.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, IgnoreMode, ILocalBundling
from aws_cdk import aws_lambda as lambda_

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "lambdas" / "requirements.lock"
WHEELHOUSE = ROOT / "wheelhouse"

RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64
# What pip calls that runtime and processor; the Makefile downloads for the same.
PYTHON_VERSION = "3.13"
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux2014_aarch64")

# An allow-list: what is not named here does not reach Lambda. The command line needs rich, which
# the layer does not hold.
CODE = ["*", "!lambdas", "!lambdas/**", "!certifier", "!certifier/**"]
NOT_CODE = ["certifier/cli*", "certifier/__main__.py", "lambdas/requirements.*", "__pycache__"]


def code() -> lambda_.Code:
    """Return the asset that every function runs: ``lambdas`` and ``certifier``."""
    return lambda_.Code.from_asset(
        str(ROOT), exclude=[*CODE, *NOT_CODE], ignore_mode=IgnoreMode.GIT
    )


def libraries() -> lambda_.Code:
    """Return the layer's content. Its hash is that of what determines it, not of the files."""
    recipe = hashlib.sha256(LOCK.read_bytes())
    recipe.update(" ".join((PYTHON_VERSION, *PLATFORMS)).encode())
    return lambda_.Code.from_asset(
        str(LOCK.parent),
        asset_hash_type=AssetHashType.CUSTOM,
        asset_hash=recipe.hexdigest(),
        bundling=BundlingOptions(
            image=DockerImage.from_registry("unused"), local=_LayerFromWheelhouse()
        ),
    )


def install(target: Path) -> None:
    """Install the locked wheels for Lambda into ``target``, the same bytes every time.

    Raises:
        RuntimeError: pip could not, with pip's own words; most often set-up has not run.
    """
    pip = (sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "--quiet")
    where = ("--no-index", "--find-links", str(WHEELHOUSE), "--target", str(target))
    what = ("--require-hashes", "--no-deps", "--requirement", str(LOCK))
    form = ("--only-binary=:all:", "--no-compile", "--implementation", "cp")
    platforms = [option for name in PLATFORMS for option in ("--platform", name)]
    done = subprocess.run(
        [*pip, "install", *where, *what, *form, "--python-version", PYTHON_VERSION, *platforms],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(f"the layer could not be built; run `make setup` first\n{done.stderr}")
    # Scripts and RECORD name this machine's interpreter and folder.
    shutil.rmtree(target / "bin", ignore_errors=True)
    for record in target.glob("*.dist-info/RECORD"):
        record.unlink()


@jsii.implements(ILocalBundling)
class _LayerFromWheelhouse:
    def try_bundle(self, output_dir: str, *_options: object) -> bool:
        """Raise rather than return False, which would try Docker."""
        install(Path(output_dir) / "python")
        return True
