"""RDS: which cluster a DB instance belongs to, and the CAs that RDS has in a Region."""

from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from certifier.aws.answers import require_same
from certifier.aws.clients import code_of, translate, translated
from certifier.errors import Unexpected

_PAGES = 10
_GONE = frozenset({"DBInstanceNotFound", "DBInstanceNotFoundFault"})


class Rds:
    """RDS in one account and Region.

    Raises, from every method:
        Retryable: RDS asked us to slow down, or did not answer.
        Refused: ``aws_denied``.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def thumbprints(self, now: datetime) -> frozenset[str]:
        """Return the SHA-1 of the root of every CA that is valid, in lower-case hex.

        Raises:
            Unexpected: there are more pages than any Region has CAs.
        """
        found: set[str] = set()
        params: dict[str, str] = {}
        for _ in range(_PAGES):
            with translated():
                answer = self._client.describe_certificates(**params)
            for one in answer["Certificates"]:
                text, end = one.get("Thumbprint", ""), one.get("ValidTill")
                if text and (end is None or end > now):
                    found.add(text.replace(":", "").lower())
            if not (marker := answer.get("Marker")):
                return frozenset(found)
            params = {"Marker": marker}
        raise Unexpected(f"DescribeCertificates: more than {_PAGES} pages")

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
        named = [one.get("DBInstanceIdentifier", instance) for one in answer["DBInstances"]]
        require_same("DescribeDBInstances", named, [instance])
        found = [one.get("DBClusterIdentifier") for one in answer["DBInstances"]]
        return next((cluster for cluster in found if cluster), None)
