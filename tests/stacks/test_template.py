"""What the synthesized template promises."""

import importlib
import json
import re
from typing import Any

import pytest

from certifier.vocabulary import Cause
from lambdas._step import Step
from tests.stacks.conftest import (
    EVERY_SETTING,
    ROOT,
    SECRET_KEY,
    flat,
    functions,
    listed,
    of_type,
    only,
    statements,
    synthesize,
)

# Properties that would fix a physical name, so that a second installation could not be made.
NAMES = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}

# Actions whose service offers no resource to name (Service Authorization Reference).
WITHOUT_RESOURCES = {
    "acm:ListCertificates",
    "dms:DescribeAccountAttributes",
    "dms:DescribeCertificates",
    "dms:DescribeConnections",
    "dms:DescribeEndpoints",
    "dms:DescribeReplicationConfigs",
    "dms:DescribeReplicationInstances",
    "dms:DescribeReplicationTasks",
    "dms:ListDataProviders",
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "rds:DescribeCertificates",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


def test_every_step_is_one_function_on_python_3_13_and_arm64(template: dict[str, Any]) -> None:
    """Functions share runtime, processor, code and layer; each has its own role and log group."""
    found = functions(template)
    assert len(found) == len(of_type(template, "AWS::Lambda::Function")) == 16
    for properties in found.values():
        assert properties["Runtime"] == "python3.13"
        assert properties["Architectures"] == ["arm64"]
        assert properties["TracingConfig"] == {"Mode": "Active"}
        assert properties["LoggingConfig"]["LogFormat"] == "JSON"
    assert len({json.dumps(p["Code"]) for p in found.values()}) == 1
    assert len({json.dumps(p["Layers"]) for p in found.values()}) == 1
    assert len({json.dumps(p["Role"]) for p in found.values()}) == 16
    assert len({json.dumps(p["LoggingConfig"]["LogGroup"]) for p in found.values()}) == 16


def test_no_function_runs_longer_than_two_minutes(template: dict[str, Any]) -> None:
    """A claim is taken over two minutes after its owner ended: by then every step has ended too."""
    assert max(properties["Timeout"] for properties in functions(template).values()) <= 120


def test_every_step_has_its_function_and_every_function_its_step(template: dict[str, Any]) -> None:
    """Each file of lambdas/ is one function, and its handler is where the handler string says."""
    files = {path.stem for path in (ROOT / "lambdas").glob("[a-z]*.py")}
    assert functions(template).keys() == files
    for name, properties in functions(template).items():
        assert properties["Handler"] == f"lambdas.{name}.handler"
        assert isinstance(importlib.import_module(f"lambdas.{name}").handler, Step)


def test_every_function_gets_the_environment_that_its_step_reads(
    template: dict[str, Any], full_template: dict[str, Any]
) -> None:
    """The step's typed settings accept the variables, and none is there that it does not read."""
    for one in (template, full_template):
        for name, properties in functions(one).items():
            given = {k: flat(v) for k, v in properties["Environment"]["Variables"].items()}
            reads = importlib.import_module(f"lambdas.{name}").handler._settings
            settings = reads.read(given)
            own = {key for key in given if not key.startswith("POWERTOOLS_")}
            assert own <= {field.upper() for field in type(settings).model_fields}, name


def test_the_probe_refuses_local_addresses(
    template: dict[str, Any], full_template: dict[str, Any]
) -> None:
    """In AWS no source leads to a loopback, link-local or metadata address, probed or not."""
    for one in (template, full_template):
        of_probe, policy = (
            json.loads(functions(one)[step]["Environment"]["Variables"]["PROBE_ADDRESSES"])
            for step in ("probe_tls", "read_material")
        )
        assert of_probe == policy
        assert policy["local"] is False
    assert policy["hosts"] == ["*.db.example.com"]
    assert policy["ports"] == [5432, 6432]


def test_only_the_probe_can_be_put_into_a_network(
    template: dict[str, Any], full_template: dict[str, Any]
) -> None:
    """Without subnets no function is in a VPC; with them the probe alone is."""
    assert not any("VpcConfig" in p for p in functions(template).values())
    in_network = {
        n: p["VpcConfig"] for n, p in functions(full_template).items() if "VpcConfig" in p
    }
    assert in_network == {
        "probe_tls": {"SubnetIds": ["subnet-0a1b2c3d"], "SecurityGroupIds": ["sg-0a1b2c3d"]}
    }


def test_code_in_the_network_may_not_make_interfaces_itself(full_template: dict[str, Any]) -> None:
    """Lambda may manage the probe's interfaces; the same calls by a function's code are denied."""
    (deny,) = [s for s in statements(full_template) if s["Effect"] == "Deny"]
    assert "ec2:CreateNetworkInterface" in deny["Action"]
    assert deny["Condition"]["ArnLike"].keys() == {"lambda:SourceFunctionArn"}


def test_logs_do_not_grow_for_ever(template: dict[str, Any]) -> None:
    """Every log group has a retention."""
    assert all(g["RetentionInDays"] for g in of_type(template, "AWS::Logs::LogGroup").values())


def test_versions_are_published_retained_and_named_by_the_machine(template: dict[str, Any]) -> None:
    """A deployment neither deletes nor changes the code under an execution that waits."""
    versions = {
        name: resource
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Version"
    }
    assert len(versions) == 16
    assert all(v["DeletionPolicy"] == "RetainExceptOnCreate" for v in versions.values())
    machine = only(template, "AWS::StepFunctions::StateMachine")
    definition = json.dumps(of_type(template, "AWS::StepFunctions::StateMachine"))
    assert all(f'{{"Ref": "{name}"}}' in definition for name in versions)
    for function in of_type(template, "AWS::Lambda::Function"):
        assert f'"{function}"' not in json.dumps(machine.get("DefinitionString"))


def test_the_machine_may_invoke_every_version(template: dict[str, Any]) -> None:
    """An execution under way keeps its right to the versions of an earlier deployment."""
    machine = only(template, "AWS::StepFunctions::StateMachine")
    role = machine["RoleArn"]["Fn::GetAtt"][0]
    invocable = {
        flat(resource)
        for statement in statements(template, role)
        if "lambda:InvokeFunction" in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }
    for function in of_type(template, "AWS::Lambda::Function"):
        assert f"${{{function}.Arn}}:*" in invocable


def test_the_machine_is_standard_traced_and_keeps_data_out_of_its_logs(
    template: dict[str, Any],
) -> None:
    """Express machines cannot wait for DMS; execution data in logs could be anything."""
    machine = only(template, "AWS::StepFunctions::StateMachine")
    assert machine.get("StateMachineType", "STANDARD") == "STANDARD"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False


@pytest.mark.parametrize("which", ["template", "full_template"])
def test_no_allowed_action_contains_a_star(which: str, request: pytest.FixtureRequest) -> None:
    """Identity and resource policies spell out every action; no managed policy hides some."""
    one = request.getfixturevalue(which)
    documents = [
        properties[key]
        for resource in one["Resources"].values()
        for properties in [resource.get("Properties", {})]
        for key in ("PolicyDocument", "AssumeRolePolicyDocument")
        if key in properties
    ]
    assert len(documents) > 30
    for document in documents:
        for statement in document["Statement"]:
            if statement["Effect"] == "Allow":
                assert "*" not in "".join(listed(statement["Action"])), statement
    assert not any(r.get("ManagedPolicyArns") for r in of_type(one, "AWS::IAM::Role").values())


@pytest.mark.parametrize("which", ["template", "full_template"])
def test_resource_star_is_left_to_actions_without_resources(
    which: str, request: pytest.FixtureRequest
) -> None:
    """Where a service can name a resource, ours are named."""
    for statement in statements(request.getfixturevalue(which)):
        if statement["Effect"] == "Allow" and "*" in listed(statement["Resource"]):
            assert set(listed(statement["Action"])) <= WITHOUT_RESOURCES


def may(template: dict[str, Any], step: str) -> set[str]:
    """Return the actions that the role of a step allows."""
    role = functions(template)[step]["Role"]["Fn::GetAtt"][0]
    return {
        action
        for s in statements(template, role)
        if s["Effect"] == "Allow"
        for action in listed(s["Action"])
    }


@pytest.mark.parametrize(
    ("action", "steps"),
    [
        ("dms:ModifyEndpoint", {"configure_endpoint"}),
        ("dms:CreateEndpoint", {"configure_endpoint", "rehearse_changes"}),
        ("dms:DeleteEndpoint", {"rehearse_changes", "record_certification"}),
        ("dms:ImportCertificate", {"import_ca", "configure_endpoint"}),
        ("dms:DeleteCertificate", {"tidy"}),
        ("dms:StopReplicationTask", {"pause_tasks"}),
        ("dms:StartReplicationTask", {"resume_tasks"}),
        ("acm:ImportCertificate", {"import_certificate"}),
        ("iam:PassRole", {"rehearse_changes", "configure_endpoint"}),
        ("states:DescribeExecution", {"claim_source"}),
        ("rds:DescribeDBInstances", {"select_sources"}),
        ("sns:Publish", {"record_certification", "report", "select_sources", "tidy"}),
        (
            "secretsmanager:GetSecretValue",
            {
                "read_material",
                "probe_tls",
                "rehearse_changes",
                "configure_endpoint",
                "test_connection",
                "import_certificate",
            },
        ),
        ("secretsmanager:PutSecretValue", set()),
        ("dms:DeleteReplicationTask", set()),
        ("kms:Decrypt", set()),
    ],
)
def test_a_right_is_given_to_the_steps_that_need_it_alone(
    template: dict[str, Any], action: str, steps: set[str]
) -> None:
    """Each write belongs to the one or two steps that make it."""
    assert {step for step in functions(template) if action in may(template, step)} == steps


@pytest.mark.parametrize(
    ("action", "tags"),
    [
        ("acm:DeleteCertificate", ["certifier:source"]),
        ("dms:DeleteCertificate", ["certifier"]),
        ("dms:DeleteEndpoint", ["certifier:canary", "certifier:source"]),
    ],
)
def test_only_what_we_made_can_be_deleted(
    template: dict[str, Any], action: str, tags: list[str]
) -> None:
    """No step can delete a certificate or an endpoint that its own installation has not made."""
    found = [s for s in statements(template) if action in listed(s["Action"])]
    assert found
    for statement in found:
        assert listed(statement["Action"]) == [action]
        assert statement["Condition"] == {
            "StringLike": {f"aws:ResourceTag/{tag}": "?*" for tag in tags},
            "StringEquals": {"aws:ResourceTag/certifier:stack": {"Ref": "AWS::StackName"}},
        }


OURS = {"Ref": "AWS::StackName"}
MADE_HERE = {"StringEquals": {"aws:RequestTag/certifier:stack": OURS}}
NOT_OF_ANOTHER = {"StringEqualsIfExists": {"aws:ResourceTag/certifier:stack": OURS}}
OF_A_SOURCE = {"StringLike": {"aws:ResourceTag/certifier:source": "?*"}}
CONSENTED = {"StringLike": {"secretsmanager:ResourceTag/certifier:source": "?*"}}


def own_tags(*keys: str) -> dict[str, Any]:
    """No other tags than these, and that of the installation."""
    return {"ForAllValues:StringEquals": {"aws:TagKeys": sorted([*keys, "certifier:stack"])}}


@pytest.mark.parametrize("which", ["template", "full_template"])
@pytest.mark.parametrize(
    ("action", "resource", "condition"),
    [
        ("secretsmanager:GetSecretValue", ":secret:", CONSENTED),
        ("dms:ModifyEndpoint", ":endpoint:", OF_A_SOURCE),
    ],
)
def test_what_is_not_ours_is_used_with_its_owners_consent_alone(
    which: str,
    action: str,
    resource: str,
    condition: dict[str, Any],
    request: pytest.FixtureRequest,
) -> None:
    """No role, that of DMS included, reads a secret or changes an endpoint without the tag."""
    found = [
        s
        for s in statements(request.getfixturevalue(which))
        if action in listed(s["Action"]) and any(resource in flat(r) for r in listed(s["Resource"]))
    ]
    assert found
    for statement in found:
        assert listed(statement["Action"]) == [action]
        narrower = dict(statement["Condition"])
        marked = narrower.pop("StringNotEqualsIfExists", {})  # who needs pairs, or passwords, alone
        assert marked.keys() <= {"aws:ResourceTag/certifier:holds"}
        if narrower.get("StringEquals") == {"aws:ResourceTag/certifier:stack": OURS}:
            del narrower["StringEquals"]  # what we made: tags could be set later, an ARN not
            assert all(flat(r).endswith(":certifier-made-*") for r in listed(statement["Resource"]))
        elif action == "dms:ModifyEndpoint":
            assert narrower.pop("Null") == {"aws:ResourceTag/certifier:stack": "true"}
        assert narrower == condition


@pytest.mark.parametrize(
    ("action", "conditions"),
    [
        ("dms:CreateEndpoint", [MADE_HERE]),
        ("dms:ImportCertificate", [MADE_HERE]),
        (
            "dms:AddTagsToResource",
            [
                MADE_HERE | NOT_OF_ANOTHER | own_tags("certifier:canary", "certifier:source"),
                MADE_HERE | NOT_OF_ANOTHER | own_tags("certifier"),
            ],
        ),
        ("acm:AddTagsToCertificate", [MADE_HERE | NOT_OF_ANOTHER]),
        # A renewal takes no tags: it goes over what bears a source's, and no other installation's.
        ("acm:ImportCertificate", [MADE_HERE, OF_A_SOURCE | NOT_OF_ANOTHER]),
    ],
)
def test_what_we_make_bears_the_name_of_the_installation(
    template: dict[str, Any], action: str, conditions: list[dict[str, Any]]
) -> None:
    """Of two installations in one account, neither makes anything in the other's name."""
    found = [s["Condition"] for s in statements(template) if action in listed(s["Action"])]
    assert all(condition in found for condition in conditions)
    assert all(condition in conditions for condition in found)


def test_every_step_knows_its_installation(template: dict[str, Any]) -> None:
    """By the very name that the conditions demand."""
    environments = [p["Environment"]["Variables"] for p in functions(template).values()]
    assert all(one["INSTALLATION"] == OURS for one in environments)


def test_only_secrets_under_the_prefixes_can_be_read() -> None:
    """Neither a step nor DMS can read a secret outside the settings' prefixes, or another's key."""
    one = synthesize({**EVERY_SETTING, "certifier:secret_prefixes": ["dms/", "pg-"]})
    secrets, keys = set(), set()
    for statement in statements(one):
        for action in listed(statement["Action"]):
            if action.startswith("secretsmanager:"):
                secrets |= {flat(r).split(":secret:")[1] for r in listed(statement["Resource"])}
            if action.startswith("kms:"):
                keys |= {flat(r) for r in listed(statement["Resource"])}
    assert secrets == {"dms/*", "pg-*"}
    assert keys == {SECRET_KEY}


def test_bundles_are_read_from_the_allowed_buckets_alone(full_template: dict[str, Any]) -> None:
    """A foreign bucket is readable by Read material, and only when the settings name it."""
    bucket = next(iter(of_type(full_template, "AWS::S3::Bucket")))
    foreign = {
        flat(resource)
        for statement in statements(full_template)
        for resource in listed(statement["Resource"])
        if ":s3:::" in flat(resource) and bucket not in flat(resource)
    }
    assert foreign == {"arn:${AWS::Partition}:s3:::platform-trust/*"}
    reader = functions(full_template)["read_material"]
    allowed = json.loads(reader["Environment"]["Variables"]["ALLOWED_BUNDLE_BUCKETS"])
    assert allowed == ["platform-trust"]


def test_dms_reads_secrets_as_its_regional_principal(template: dict[str, Any]) -> None:
    """DMS assumes the secret role as dms.<region>.amazonaws.com, and may do nothing else."""
    ((name, role),) = [
        (name, properties)
        for name, properties in of_type(template, "AWS::IAM::Role").items()
        if "dms." in json.dumps(properties["AssumeRolePolicyDocument"])
    ]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert flat(trust["Principal"]["Service"]) == "dms.${AWS::Region}.amazonaws.com"
    actions = [action for s in statements(template, name) for action in listed(s["Action"])]
    assert sorted(actions) == ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]


def test_the_claim_asks_about_executions_of_this_machine_alone(template: dict[str, Any]) -> None:
    """The pattern covers the machine and its children, whose ARN holds the Map's label."""
    machine = next(iter(of_type(template, "AWS::StepFunctions::StateMachine")))
    (statement,) = [
        s
        for s in statements(template)
        if s["Action"] == "states:DescribeExecution"
        and "ClaimSource" in json.dumps(_holder(template, s))
    ]
    tails = {flat(r).split(":execution:")[1] for r in listed(statement["Resource"])}
    assert tails == {f"${{{machine}.Name}}:*", f"${{{machine}.Name}}/*"}


def _holder(template: dict[str, Any], statement: dict[str, Any]) -> dict[str, Any]:
    return next(
        policy
        for policy in of_type(template, "AWS::IAM::Policy").values()
        if statement in policy["PolicyDocument"]["Statement"]
    )


def test_the_table_has_its_keys_and_the_sparse_index(template: dict[str, Any]) -> None:
    """One table, paid by request, with point-in-time recovery, that outlives the stack."""
    table = only(template, "AWS::DynamoDB::Table")
    assert [k["AttributeName"] for k in table["KeySchema"]] == ["pk", "sk"]
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "due"
    assert [k["AttributeName"] for k in index["KeySchema"]] == ["due_partition", "due_at"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True


def test_the_bucket_is_private_encrypted_versioned_and_speaks_tls_only(
    template: dict[str, Any],
) -> None:
    """Records hold no secret, and are guarded as if they did."""
    bucket = only(template, "AWS::S3::Bucket")
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert bucket["BucketEncryption"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    rule, latest = bucket["LifecycleConfiguration"]["Rules"]
    assert (rule["ExpirationInDays"], rule["Status"]) == (400, "Enabled")
    assert (latest["Prefix"], latest["Status"]) == ("reports/latest", "Enabled")
    assert latest["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    denied = [
        s
        for s in only(template, "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
        if s["Effect"] == "Deny"
    ]
    assert {"Bool": {"aws:SecureTransport": "false"}} in [s["Condition"] for s in denied]


def deletion(template: dict[str, Any], kind: str) -> str:
    """Return what becomes of the one resource of this type when its stack is deleted."""
    (resource,) = [r for r in template["Resources"].values() if r["Type"] == kind]
    policy: str = resource["DeletionPolicy"]
    return policy


def test_data_outlives_the_stack_unless_the_settings_say_otherwise(
    template: dict[str, Any], trial: dict[str, Any]
) -> None:
    """Deleting the stack keeps undo logs and records; a trial's table goes with it.

    Its bucket stays: nobody empties it, and with versions in it the deletion would fail.
    """
    for one, table in ((template, "RetainExceptOnCreate"), (trial, "Delete")):
        assert deletion(one, "AWS::DynamoDB::Table") == table
        assert deletion(one, "AWS::S3::Bucket") == "RetainExceptOnCreate"


def test_a_deployment_that_is_rolled_back_leaves_nothing_behind(
    template: dict[str, Any], trial: dict[str, Any]
) -> None:
    """Plain Retain keeps what a failed update has made, and the next one then fails over it."""
    for one in (template, trial):
        for name, resource in one["Resources"].items():
            kept = resource.get("UpdateReplacePolicy") == "Retain"
            assert resource.get("DeletionPolicy") != "Retain", name
            assert not kept or resource["DeletionPolicy"] == "RetainExceptOnCreate", name


def test_every_log_follows_the_settings_and_goes_with_the_stack(trial: dict[str, Any]) -> None:
    """The machine's log too."""
    groups = [r for r in trial["Resources"].values() if r["Type"] == "AWS::Logs::LogGroup"]
    assert len(groups) == 18
    for group in groups:
        assert group["Properties"]["RetentionInDays"] == 30
        assert group["DeletionPolicy"] == "Delete"


def test_the_machines_log_needs_no_policy_in_a_crowded_account(template: dict[str, Any]) -> None:
    """Its group lies where Step Functions may write without a resource policy of its own.

    CloudWatch Logs keeps ten policies of 5,120 characters a Region; when no more fits, a machine
    that logs elsewhere cannot be created.
    """
    destinations = only(template, "AWS::StepFunctions::StateMachine")["LoggingConfiguration"]
    (destination,) = destinations["Destinations"]
    group, _ = destination["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"]
    name = flat(of_type(template, "AWS::Logs::LogGroup")[group]["LogGroupName"])
    assert name.startswith("/aws/vendedlogs/states/${AWS::StackName}-")


def test_no_physical_name_is_fixed(full_template: dict[str, Any]) -> None:
    """An account can hold two installations: CloudFormation names everything but two log groups.

    Their names hold that of the stack, which no other stack of the account and Region has.
    """
    named = [
        (resource["Type"], flat(resource["Properties"][NAMES[resource["Type"]]]))
        for resource in full_template["Resources"].values()
        if NAMES.get(resource["Type"]) in resource.get("Properties", {})
    ]
    assert len(named) == 2  # the logs of the two machines
    for kind, name in named:
        assert kind == "AWS::Logs::LogGroup"
        assert "${AWS::StackName}" in name


def test_a_second_installation_shares_nothing() -> None:
    """Another stack exports nothing; of names and metrics, see test_under_any_name.py."""
    other = synthesize({"certifier:stack": "CertifierTeamB"})
    assert not any("Export" in output for output in other["Outputs"].values())


def test_nothing_is_looked_up_and_nothing_is_fixed(template: dict[str, Any]) -> None:
    """The template holds no account, no Region and no partition of whoever synthesized it."""
    text = json.dumps(template["Resources"])
    assert not re.search(r"\b\d{12}\b", text)
    assert not re.search(r"arn:aws[a-z-]*:", text.replace("arn:aws:states:::", ""))


def test_the_outputs_let_the_command_line_find_the_installation(template: dict[str, Any]) -> None:
    """The machine, the table and the bucket are outputs."""
    assert {"StateMachine", "TableName", "BucketName"} <= template["Outputs"].keys()


def test_alarms_cover_what_no_run_can_report(full_template: dict[str, Any]) -> None:
    """Failed and timed-out executions, undelivered starts and expiry reach the topic's readers."""
    alarms = of_type(full_template, "AWS::CloudWatch::Alarm").values()
    assert {alarm["MetricName"] for alarm in alarms if "MetricName" in alarm} == {
        "ExecutionsTimedOut",
        "ApproximateNumberOfMessagesVisible",
        "LateCertificates",
        "RestartWait",
        "Ticks",
        "SourcesNotTaken",
        "DmsThrottles",
        "NoticesUnsent",
    }
    topic = next(iter(of_type(full_template, "AWS::SNS::Topic")))
    assert all(alarm["AlarmActions"] == [{"Ref": topic}] for alarm in alarms)
    (reader,) = of_type(full_template, "AWS::SNS::Subscription").values()
    assert (reader["Protocol"], reader["Endpoint"]) == ("email", "dba@example.com")


def test_alarms_may_publish_although_the_topic_has_a_policy_of_its_own(
    template: dict[str, Any],
) -> None:
    """A topic policy replaces the default one, so the account's alarms are let in by name."""
    policy = only(template, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    (alarms,) = [s for s in policy if s["Effect"] == "Allow"]
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_policy_of_the_settings_reaches_the_steps() -> None:
    """What a team decides about certificates is what the steps read."""
    one = synthesize({"certifier:min_rsa_bits": 3072, "certifier:raise_to_error": "key_too_small"})
    policy = json.loads(functions(one)["read_material"]["Environment"]["Variables"]["POLICY"])
    assert policy["min_rsa_bits"] == 3072
    assert policy["raise_to_error"] == [Cause.KEY_TOO_SMALL.value]
