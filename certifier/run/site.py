"""Where an installation is, and the addresses at which a browser shows what lies there.

Only what an ARN says is used, so nothing is asked of AWS. The addresses are those of the consoles
of today; a console that moves them leads to its front page.
"""

from urllib.parse import quote

from certifier.models import Fact

_CONSOLES = {"aws": "console.aws.amazon.com", "aws-us-gov": "console.amazonaws-us-gov.com"}
_CHINA = "console.amazonaws.cn"


class Site(Fact):
    """One installation: the account and Region, the stack, and where its documents are published.

    ``documents``: an address without a slash at its end; empty: nowhere, so a path is given.
    """

    partition: str
    region: str
    account: str
    stack: str
    documents: str = ""

    @classmethod
    def of(cls, arn: str, stack: str, documents: str = "") -> "Site":
        """Return the place of anything with an ARN, such as an execution."""
        _, partition, _, region, account, *_ = [*arn.split(":"), "", "", "", "", ""]
        return cls(
            partition=partition or "aws",
            region=region,
            account=account,
            stack=stack,
            documents=documents.rstrip("/"),
        )

    @property
    def words(self) -> str:
        """Where it is, for the last line of a mail."""
        return f"Account {self.account} · {self.region} · stack {self.stack}"

    def runbook(self, anchor: str) -> str:
        """Return where the runbook says what to do."""
        page = f"operate/runbook.md#{anchor}"
        return f"{self.documents}/{page}" if self.documents else f"docs/{page}"

    def task(self, identifier: str) -> str:
        """Return the page of a replication task in the console of DMS."""
        return self._console("dms/v2/home", f"#taskDetails/{quote(identifier)}")

    def endpoint(self, identifier: str) -> str:
        """Return the page of an endpoint in the console of DMS."""
        return self._console("dms/v2/home", f"#endpointDetails/{quote(identifier)}")

    def execution(self, arn: str) -> str:
        """Return the page of an execution in the console of Step Functions."""
        return self._console("states/home", f"#/v2/executions/details/{quote(arn, safe=':')}")

    def file(self, bucket: str, key: str) -> str:
        """Return the page of an object in the console of S3, which opens or downloads it."""
        more = f"&prefix={quote(key, safe='')}"
        return self._console(f"s3/object/{bucket}", more)

    def _console(self, path: str, rest: str) -> str:
        host = _CONSOLES.get(self.partition, _CHINA)
        return f"https://{self.region}.{host}/{path}?region={self.region}{rest}"
