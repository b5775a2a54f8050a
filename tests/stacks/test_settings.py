"""A platform team's settings: defaults that work, and every mistake at once."""

import json
import re
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from certifier.models import POLICY_CAUSES, Hash, Policy
from stacks.settings import LOG_DAYS, InvalidSettings, Settings
from tests.stacks.conftest import ROOT

GOOD = {"certifier:secret_prefixes": ["dms/"]}


def problems(**changes: Any) -> tuple[str, ...]:
    """Return what is said about settings with these keys."""
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_context({**GOOD, **{f"certifier:{k}": v for k, v in changes.items()}})
    return caught.value.problems


def test_only_the_prefixes_must_be_given() -> None:
    """Everything else has a default; other keys of the context are none of ours."""
    settings = Settings.from_context({**GOOD, "@aws-cdk/core:something": True})
    assert settings.stack == "Certifier"
    assert settings.retain_data is True
    assert settings.probe_addresses() == {"local": False, "hosts": (), "ports": ()}


def test_the_command_line_can_say_the_same() -> None:
    """``-c key=value`` hands over text: lists with commas, numbers and truths as words."""
    settings = Settings.from_context(
        {
            "certifier:secret_prefixes": "dms/, pg-",
            "certifier:batch": "25",
            "certifier:log_days": "30",
            "certifier:retain_data": "false",
            "certifier:probe_ports": "5432,6432",
            "certifier:raise_to_error": "key_too_small",
        }
    )
    assert settings.secret_prefixes == ("dms/", "pg-")
    assert (settings.batch, settings.log_days, settings.retain_data) == (25, 30, False)
    assert settings.probe_ports == (5432, 6432)
    assert settings.policy()["raise_to_error"] == ["key_too_small"]


def test_every_mistake_is_reported_at_once() -> None:
    """Each sentence begins with the key as it stands in cdk.json."""
    found = problems(
        bacth=5,
        batch=0,
        log_days=8,
        secret_prefixes=[],
        probe_subnets=["subnet-1"],
        raise_to_error=["nonsense"],
        stack="1st",
    )
    keys = {sentence.partition(": ")[0] for sentence in found}
    assert keys == {
        "certifier:bacth",
        "certifier:batch",
        "certifier:log_days",
        "certifier:secret_prefixes",
        "certifier:probe_subnets.0",
        "certifier:raise_to_error.0",
        "certifier:stack",
    }


def test_only_a_policy_cause_can_be_raised_to_an_error() -> None:
    """Another cause would deploy, and then no step could read its environment."""
    (sentence,) = problems(raise_to_error=["key_too_small", "hostname_mismatch"])
    assert sentence.startswith("certifier:raise_to_error.1: hostname_mismatch is not a policy")
    assert "key_too_small" in sentence


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"warning_days": 1, "min_rsa_bits": 1024, "max_validity_days": 1},
        {"warning_days": 365, "min_rsa_bits": 16384, "max_validity_days": 36500},
        {"signature_hashes": list(get_args(Hash)), "raise_to_error": list(POLICY_CAUSES)},
    ],
)
def test_the_steps_take_every_policy_that_the_settings_take(policy: dict[str, Any]) -> None:
    """What passes at synth is what every run reads from POLICY."""
    settings = Settings.from_context({**GOOD, **{f"certifier:{k}": v for k, v in policy.items()}})
    text = json.dumps(settings.policy())
    assert Policy.model_validate_json(text).model_dump() == settings.model_dump(
        include=set(Policy.model_fields)
    )


@pytest.mark.parametrize(
    "policy",
    [
        {"warning_days": 0},
        {"warning_days": 366},
        {"min_rsa_bits": 1023},
        {"max_validity_days": 36501},
        {"signature_hashes": ["md5"]},
        {"raise_to_error": ["hostname_mismatch"]},
    ],
)
def test_the_settings_refuse_every_policy_that_the_steps_refuse(policy: dict[str, Any]) -> None:
    """The bounds are the same ones, not a second set."""
    with pytest.raises(ValidationError):
        Policy.model_validate(policy)
    sentence, *_ = problems(**policy)
    assert sentence.startswith(f"certifier:{next(iter(policy))}")


def test_a_missing_setting_is_named() -> None:
    """Without prefixes no secret could be read, and every one would be a guess."""
    with pytest.raises(InvalidSettings, match="certifier:secret_prefixes: Field required"):
        Settings.from_context({})


def test_an_unknown_setting_suggests_the_one_meant() -> None:
    """A typing mistake is not silently without effect."""
    assert problems(bacth=5) == (
        "certifier:bacth: there is no such setting: did you mean certifier:batch?",
    )


def test_subnets_and_security_groups_belong_together() -> None:
    """A function in a VPC needs both."""
    (sentence,) = problems(probe_subnets=["subnet-0a1b2c3d"])
    assert sentence == "probe_subnets and probe_security_groups are given together or not at all"


def test_every_prefix_says_something() -> None:
    """An empty prefix or a star would open every secret of the account."""
    for wrong in ("", "*", "dms/*"):
        assert problems(secret_prefixes=[wrong])


def test_the_settings_of_the_first_day_exist() -> None:
    """docs/first-day.md breaks an update with settings that synthesize."""
    text = (ROOT / "docs" / "first-day.md").read_text(encoding="utf-8")
    commands = [line for line in text.splitlines() if line.startswith("npx cdk deploy")]
    assert len(commands) == 2
    # They name none of the operator's own settings, which must be where both find them.
    assert "your settings in `cdk.json`" in text.partition("## 2. ")[0]
    for command in commands:
        given = dict(re.findall(r"-c (certifier:\w+)=(\S+)", command))
        assert Settings.from_context({**GOOD, **given}).breaker_limit == 4


def test_retentions_are_all_that_cloudwatch_takes() -> None:
    """By the name that the CDK gives each, and in days as the API's model lists them."""
    import botocore.session
    from aws_cdk import aws_logs as logs

    assert {*LOG_DAYS.values()} == {each.name for each in logs.RetentionDays} - {"INFINITE"}
    model: Any = botocore.session.get_session().get_service_model("logs")
    text = model.shape_for("PutRetentionPolicyRequest").members["retentionInDays"].documentation
    _, _, listed = text.partition("Possible values are:")
    assert {int(days) for days in re.findall(r"\d+", listed.partition(".")[0])} == {*LOG_DAYS}
