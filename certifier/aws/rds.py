"""RDS: which cluster a DB instance belongs to."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from certifier.aws.clients import code_of, translate

_GONE = frozenset({"DBInstanceNotFound", "DBInstanceNotFoundFault"})


class Rds:
    """RDS in one account and Region.

    Raises, from every method:
        Retryable: RDS asked us to slow down, or did not answer.
        Refused: ``aws_denied``.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def cluster_of(self, instance: str) -> str | None:
        """Return the identifier of the cluster that a DB instance is a member of. One call.

        ``None``: it stands alone, or is gone. Aurora's members are DB instances, and so are those
        of a Multi-AZ cluster.
        """
        try:
            answer = self._client.describe_db_instances(DBInstanceIdentifier=instance)
        except (ClientError, BotoCoreError) as error:
            if code_of(error) in _GONE:
                return None
            raise translate(error) from None
        found = [one.get("DBClusterIdentifier") for one in answer["DBInstances"]]
        return next((cluster for cluster in found if cluster), None)
