"""RDS announces that it rotates the certificate of an instance; Aurora's sources name a cluster."""

from typing import Any

from sandbox.world import NAME
from tests.scenarios.live import Live

TAIL = "abc123.eu-west-1.rds.amazonaws.com"


def rotation(live: Live, instance: str) -> list[str]:
    """Let RDS announce a rotation; return the sources that were run for it."""
    arn = f"arn:aws:rds:{live.cloud.region}:{live.cloud.account}:db:{instance}"
    detail = {
        "EventCategories": ["security"],
        "SourceType": "DB_INSTANCE",
        "SourceArn": arn,
        "SourceIdentifier": instance,
        "EventID": "RDS-EVENT-0502",
    }
    (run,) = live.cloud.emit("aws.rds", "RDS DB Instance Event", detail, (arn,))
    assert run.status == "SUCCEEDED", run.cause
    return [str(child.name) for child in run.children]


def test_an_instance_of_a_cluster_runs_the_sources_on_the_clusters_host(live: Live) -> None:
    """Select sources may ask RDS for the cluster, and asks once; a stranger runs nothing."""
    rds: Any = live.cloud.client("rds")
    rds.create_db_cluster(
        DBClusterIdentifier="orders",
        Engine="aurora-postgresql",
        MasterUsername="root",
        MasterUserPassword="correct-horse",
    )
    rds.create_db_instance(
        DBInstanceIdentifier="orders-1",
        DBClusterIdentifier="orders",
        DBInstanceClass="db.r6g.large",
        Engine="aurora-postgresql",
    )
    live.world.onboard(host=f"orders.cluster-{TAIL}", probe="off")
    since = live.now
    assert rotation(live, "orders-1") == [NAME]
    assert len(live.cloud.calls.of("rds", since=since)) == 1
    assert rotation(live, "orders") == []
