"""The template that CDK synthesizes, kept for as long as the code that makes it stays the same."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# Whatever changes the template. The code asset's hash is in it too, but nothing runs from there.
_SOURCES = (
    "app.py",
    "cdk.json",
    "stacks/*.py",
    *(
        f"certifier/{name}.py"
        for name in ("errors", "models", "ownership", "version", "vocabulary")
    ),
)
# The sandbox's own installation: what a laptop needs, and no layer, which no one would import.
_CONTEXT = {
    "aws:cdk:bundling-stacks": [],
    "certifier:secret_prefixes": ["dms/"],
    "certifier:bundle_buckets": ["platform-trust"],
    "certifier:probe_local": True,
    "certifier:retain_data": False,
}


def synthesized(settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the template of the app, with those settings on top of the sandbox's.

    Synthesized once per content of the code and settings (5 s), then read from a folder for
    temporary files.

    Raises:
        RuntimeError: the app refused, with its own words.
    """
    file = json.loads((ROOT / "cdk.json").read_text())
    ours = {f"certifier:{key}": value for key, value in (settings or {}).items()}
    context = {**file["context"], **_CONTEXT, **ours}
    cached = _cache() / f"{_digest(context)}.json"
    if not cached.is_file():
        template = _synthesize(context)
        # Written aside and renamed: several test processes may come here at once.
        with tempfile.NamedTemporaryFile("w", dir=cached.parent, delete=False) as draft:
            json.dump(template, draft)
        Path(draft.name).replace(cached)
    template = json.loads(cached.read_text())
    assert isinstance(template, dict)
    return template


def _cache() -> Path:
    """A folder of our own: what another user wrote would be run here."""
    folder = Path(tempfile.gettempdir()) / f"certifier-templates-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise RuntimeError(f"{folder} belongs to somebody else; remove it")
    return folder


def _digest(context: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(context, sort_keys=True).encode())
    for pattern in _SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:32]


def _synthesize(context: Mapping[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run(
            [sys.executable, "app.py"],
            cwd=ROOT,
            env={
                **os.environ,
                "CDK_OUTDIR": out,
                "CDK_CONTEXT_JSON": json.dumps(context),
                "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode:
            raise RuntimeError(f"the stack could not be synthesized\n{done.stderr.strip()}")
        (path,) = Path(out).glob("*.template.json")
        template = json.loads(path.read_text())
    assert isinstance(template, dict)
    return template
