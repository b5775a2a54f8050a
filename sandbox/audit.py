"""Whether every right is used, and every use has a right: ``python -m sandbox.audit FOLDER``.

While scenarios run with ``CERTIFIER_AUDIT=FOLDER``, each account writes down at its end which right
each function needed, by which statement it got it, and in which test. This prints one table of that
and of what the template grants: function, action, resource, condition, seen in. The exit status is
1 when a right was never used and has no reason here, or when something was used and not granted.
"""

import json
import os
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sandbox.aws import template
from sandbox.aws.rights import Use

VARIABLE = "CERTIFIER_AUDIT"
DENIED = (
    # Whole files of attacks.
    "test_rights",
    "test_own_work",
    "test_own_tags",
    "test_doors",
    # Whole files of owners who withdraw their consent.
    "test_withdrawn_after",
    # What a missing right leads to: each takes one away, or names what is not ours.
    "test_iam_holds_the_tag_too",
    "test_a_right_that_is_missing_is_named",
    "test_what_rds_may_not_be_asked_is_a_warning",
    "test_a_bus_that_is_not_ours_to_write_to_is_a_warning_in_the_record",
    "test_what_nobody_could_be_notified_of_is_on_the_bus",
    "test_a_test_notice_that_cannot_be_sent_says_why",
    "test_a_mail_that_cannot_be_sent_is_sent_by_the_next_runs",
)
"""Tests that do what is denied, on purpose."""

REASONS: Mapping[str, str] = {
    "tidy sns:Publish": "a certificate cannot be deleted: tests/aws/test_tidy_and_report.py",
    "configure_endpoint dms:ListDataProviders": "no room for a CA, as in Import CA",
    "resume_tasks dms:DeleteConnection": "a test that proves nothing new, as in Test connection",
    "ec2:*": "Lambda itself makes the interfaces of a function in a network",
    "xray:*": "Lambda and Step Functions send traces, not our code",
    "logs:*": "Lambda writes the log, not our code",
    "kms:*": "asked of whoever reads a secret under a key of its own; the sandbox has no keys",
    "iam:GetRole": "DMS asks it of whoever names a role for an endpoint",
    "acm:AddTagsToCertificate": "asked of whoever imports with tags",
    "dms:AddTagsToResource": "asked of whoever creates with tags",
    "s3:ListBucket": "without it S3 does not say that an object is missing",
    "secretsmanager:DescribeSecret": "DMS asks it of whoever names a secret for an endpoint",
}
"""Why rights must be, of one function or of all, that no call of ours may be seen to use."""


@dataclass(frozen=True, order=True)
class Row:
    """One right. ``seen``: the first scenario that used it, or the reason why none needs to."""

    function: str
    action: str
    resource: str
    condition: str
    seen: str


def write(uses: Mapping[Use, str]) -> None:
    """Leave what an account has used, if somebody wants to know."""
    if folder := os.environ.get(VARIABLE):
        rows = [{**asdict(use), "scenario": scenario} for use, scenario in uses.items()]
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{uuid.uuid4()}.json").write_text(json.dumps(rows))


def granted(synthesized: Mapping[str, Any]) -> Iterator[Row]:
    """Yield every right that the template gives a function; ``seen`` is empty."""
    resources = synthesized["Resources"]
    roles = {
        one["Properties"]["Role"]["Fn::GetAtt"][0]: one["Properties"]["Handler"].split(".")[1]
        for one in resources.values()
        if one["Type"] == "AWS::Lambda::Function"
    }
    for one in resources.values():
        if one["Type"] != "AWS::IAM::Policy":
            continue
        for role in one["Properties"]["Roles"]:
            function = roles.get(role["Ref"])
            for statement in one["Properties"]["PolicyDocument"]["Statement"] if function else ():
                if statement["Effect"] == "Allow":
                    yield from _rows(str(function), statement)


def _rows(function: str, statement: Mapping[str, Any]) -> Iterator[Row]:
    resource = ", ".join(_short(each) for each in _listed(statement["Resource"]))
    condition = _short(statement.get("Condition", {}))
    for action in _listed(statement["Action"]):
        yield Row(function, action, resource, condition, "")


def compared(
    rights: Iterable[Row], used: Iterable[Mapping[str, Any]]
) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Return the table, and what is wrong: a right without use or reason, a use without right."""
    seen: dict[tuple[str, str], str] = {}
    wrong: list[str] = []
    for use in used:
        if use["allowed"]:
            seen.setdefault((use["step"], use["action"]), use["scenario"])
        elif not any(denied in use["scenario"] for denied in DENIED):
            wrong.append(
                f"{use['step']}: {use['action']} on {use['resource']} is used in "
                f"{use['scenario']}, and not granted"
            )
    table = []
    for right in rights:
        named = (right.action, f"{right.function} {right.action}")
        reasons = (
            why for what, why in REASONS.items() if any(fnmatchcase(each, what) for each in named)
        )
        found = seen.get((right.function, right.action)) or next(reasons, "")
        table.append(Row(right.function, right.action, right.resource, right.condition, found))
        if not found:
            wrong.append(f"{right.function}: {right.action} is granted, and never used")
    return tuple(sorted(set(table))), tuple(sorted(set(wrong)))


def _short(value: Any) -> str:
    """Return a value of the template in as few words as say what it is."""
    match value:
        case str():
            return value
        case {"Ref": str(name)}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, _]}:
            return f"<{name}>"
        case {"Fn::Join": [glue, parts]}:
            return str(glue).join(_short(part) for part in parts)
        case dict():
            return "; ".join(f"{key} {_short(item)}" for key, item in value.items())
        case list():
            return ", ".join(_short(item) for item in value)
        case _:
            return json.dumps(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def main(folder: str) -> int:
    """Print the table as Markdown, then what is wrong on stderr."""
    used = [
        row for file in sorted(Path(folder).glob("*.json")) for row in json.loads(file.read_text())
    ]
    table, wrong = compared(granted(template.synthesized()), used)
    print("| function | action | resource | condition | seen in |")
    print("| --- | --- | --- | --- | --- |")
    for row in table:
        cells = (row.function, row.action, row.resource, row.condition, row.seen)
        print("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    for problem in wrong:
        print(problem, file=sys.stderr)
    return 1 if wrong or not used else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
