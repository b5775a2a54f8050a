"""A serverless replication is stopped and started, as the remedy of a finding says."""

from typing import Any

import boto3
import pytest

from sandbox.dms import INSTANT, DmsStandIn


def test_it_is_stopped_and_started(aws: boto3.Session) -> None:
    """Each only once; one that is not there is named."""
    dms: Any = aws.client("dms")
    with DmsStandIn(durations=INSTANT, resolve={}).installed() as standin:
        arn = standin.add_serverless("stream", source="arn:a", target="arn:b")
        assert dms.stop_replication(ReplicationConfigArn=arn)["Replication"]["Status"] == "stopped"
        with pytest.raises(dms.exceptions.InvalidResourceStateFault):
            dms.stop_replication(ReplicationConfigArn=arn)
        start = {"ReplicationConfigArn": arn, "StartReplicationType": "resume-processing"}
        assert dms.start_replication(**start)["Replication"]["Status"] == "running"
        with pytest.raises(dms.exceptions.InvalidResourceStateFault):
            dms.start_replication(**start)
        with pytest.raises(dms.exceptions.ResourceNotFoundFault):
            dms.stop_replication(ReplicationConfigArn=f"{arn}-gone")
