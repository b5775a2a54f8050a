"""``python -m stacks.template FOLDER``: a template and its assets, for who deploys without the CDK.

It is what ``cdk synth`` writes, without the bootstrapped account that the CDK expects: the code of
the functions and their layer lie beside it as archives, where ``aws cloudformation package`` takes
them from. Settings come from cdk.json, or as ``certifier:batch=20`` behind the folder.
"""

import json
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aws_cdk import App

from stacks.certifier_stack import CertifierStack
from stacks.packaging import ROOT
from stacks.settings import PREFIX, InvalidSettings, Settings

NAME = "certifier.template.json"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every file in an archive: the same content is the same archive."""


def write(folder: Path, context: Mapping[str, Any]) -> Path:
    """Write the template and its archives into ``folder`` and return the template's path.

    Raises:
        InvalidSettings: naming every setting that is missing or wrong.
    """
    app = App(context=dict(context))
    settings = Settings.from_context(app.node.get_all_context())
    stack = CertifierStack(app, settings.stack, settings=settings)
    assembly = Path(app.synth().directory)
    template = json.loads((assembly / stack.template_file).read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        for key in ("Code", "Content"):
            place = properties.get(key)
            if isinstance(place, dict) and "S3Key" in place:
                name = place["S3Key"]
                properties[key] = name
                if not (folder / name).is_file():
                    _archive(assembly / f"asset.{Path(name).stem}", folder / name)
    # What the CDK checks of its own bootstrapped account.
    template.pop("Rules", None)
    template.get("Parameters", {}).pop("BootstrapVersion", None)
    if not template.get("Parameters"):
        template.pop("Parameters", None)
    for resource in template["Resources"].values():
        metadata = resource.pop("Metadata", {})
        if ours := {key: value for key, value in metadata.items() if key.startswith(PREFIX)}:
            resource["Metadata"] = ours
    path = folder / NAME
    path.write_text(json.dumps(template, indent=1) + "\n", encoding="utf-8")
    return path


def _archive(source: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path for path in source.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(file.relative_to(source)), EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())


def main(arguments: Sequence[str]) -> int:
    """Write it, and say what to type next; 2 when the settings are not usable."""
    folder = Path(arguments[0] if arguments else "build/template")
    committed = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    given = dict(each.split("=", 1) for each in arguments[1:])
    try:
        path = write(folder, {**committed, **given})
    except InvalidSettings as error:
        print("\n".join(("The settings are not usable:", *error.problems)), file=sys.stderr)
        return 2
    print(
        f"{path}\n\n"
        f"aws cloudformation package --template-file {path} --s3-bucket BUCKET "
        f"--use-json --output-template-file {folder}/packaged.json\n"
        f"aws cloudformation deploy --template-file {folder}/packaged.json "
        "--stack-name Certifier --s3-bucket BUCKET --capabilities CAPABILITY_IAM"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
