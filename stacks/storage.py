"""Where Certifier keeps what it knows: one table for state, one bucket for records and reports."""

import json

from aws_cdk import CfnResource, Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.settings import Settings


class Storage(Construct):
    """The table (keys ``pk``, ``sk``; sparse index ``due``) and the bucket."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        # Never plain Retain: what a deployment makes and then rolls back would be left behind.
        keep = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=_string("pk"),
            sort_key=_string("sk"),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=keep if settings.retain_data else RemovalPolicy.DESTROY,
        )
        # CloudFormation need not take another deletion policy for an update by itself; with some
        # metadata that changes too, it does (UpdateStack, "DeletionPolicy").
        resource = self.table.node.default_child
        assert isinstance(resource, CfnResource)
        resource.add_metadata("certifier:retain_data", json.dumps(settings.retain_data))
        # Sparse: only a source's STATE item has these attributes, so a tick reads what is due.
        self.table.add_global_secondary_index(
            index_name="due",
            partition_key=_string("due_partition"),
            sort_key=_string("due_at"),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            # Whatever the settings say: CloudFormation cannot delete a bucket with versions in it.
            removal_policy=keep,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="Records",
                    expiration=Duration.days(settings.record_days),
                    noncurrent_version_expiration=Duration.days(30),
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                ),
                # Megabytes for a large fleet, written by every execution.
                s3.LifecycleRule(
                    id="Latest",
                    prefix="reports/latest",
                    noncurrent_version_expiration=Duration.days(1),
                ),
            ],
        )


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
