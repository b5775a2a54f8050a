"""What the DMS stand-in can play in more than one way: facts, times and quotas.

Section numbers are those of the project's AWS facts. A switch stands for a fact that nobody outside
AWS has confirmed: Certifier has to survive both settings, and the scenarios play both.
"""

from dataclasses import dataclass
from enum import StrEnum


class FailureStyle(StrEnum):
    """How DMS wraps libpq's words in `LastFailureMessage` (section 4.1: three real forms)."""

    UNIXODBC = "unixodbc"
    """Double spaces, `[unixODBC]`, and a second "Additional info" line with the SQLSTATE."""
    PLAIN = "plain"
    """Single spaces, the bare libpq text, nothing after it."""
    PROVIDER = "provider"
    """"Cannot connect to ODBC provider", as older replication instances say it."""


@dataclass(frozen=True, kw_only=True)
class Switches:
    """UNCONFIRMED behaviour of DMS; every field says which section leaves it open."""

    hidden_test_after_modify: bool = True
    """3: ModifyEndpoint starts a test of its own on every instance that tested the endpoint."""
    hidden_test_after_create: bool = False
    """3: CreateEndpoint does so too, on every available instance."""
    hidden_test_delay: float = 0.0
    """3: seconds after the change before the hidden test starts. It is skipped when a test runs."""
    modify_invalidates_pass: bool = True
    """3: a pass from before a modify no longer lets a task start."""
    modify_while_testing_accepted: bool = True
    """3: a modify is taken while a test runs; that test still judges the old settings."""
    delete_while_testing_accepted: bool = True
    """3: an endpoint can be deleted while a test of it runs."""
    modify_resets_database_name: bool = False
    """3: a modify that does not name the database sets it to null (seen with MySQL)."""
    plain_fields_mirrored: bool = True
    """3: host, port, user and database appear at the top level and in PostgreSQLSettings alike."""
    already_exists_names_arn: bool = True
    """2: ResourceAlreadyExistsFault fills `resourceArn`."""
    unmatched_filter_raises: bool = True
    """2: a filter without a match is ResourceNotFoundFault, else an empty list."""
    connection_filters_anded: bool = True
    """4: two filters of DescribeConnections are ANDed, else only the last one counts."""
    old_status_shown_for: float = 0.0
    """4: seconds for which DescribeConnections still shows the old verdict of an accepted test."""
    old_message_kept: bool = True
    """4: LastFailureMessage outlives a later success ("when the connection last failed")."""
    verify_without_certificate_refused: bool = True
    """1: verify-* without CertificateArn is refused, else it fails in the test."""
    require_uses_root_certificate: bool = False
    """4.1: DMS hands the certificate to libpq under `require`, which then acts as verify-ca."""
    self_signed_trusted: bool = True
    """1: a self-signed server certificate that is its own CA verifies, as it does in libpq."""
    pem_normalised: bool = False
    """2: DescribeCertificates returns the bare PEM blocks, re-wrapped, not the text as given."""
    certificates_by_the_hundred: bool = True
    """2: DescribeCertificates takes a MaxRecords of 100; the model has a default of 10 alone."""
    bundle_facts_from_last: bool = False
    """2: dates and key length of a bundle describe its last certificate, else its first."""
    identifiers_lowered: bool = True
    """2: identifiers are stored in lower case."""
    server_prefix_shown: bool = False
    """4.1: libpq's 'connection to server at ..., port ... failed: ' is part of the message."""
    plugin_name_underscored: bool = True
    """3: `PluginName` is shown with an underscore, which DMS does not take as input."""
    failure_style: FailureStyle = FailureStyle.UNIXODBC


@dataclass(frozen=True, kw_only=True)
class Durations:
    """How long DMS takes, in seconds of the stand-in's clock. 0 means: done at the next call."""

    endpoint_creating: float = 2.0
    endpoint_modifying: float = 2.0
    modify_unseen: float = 0.0
    """For this long DescribeEndpoints shows an endpoint as it was before it was modified."""
    endpoint_deleting: float = 2.0
    testing: float = 3.0
    connect_timeout: float = 60.0
    """After this long a test of a host that answers nothing is "timeout expired"."""
    connection_deleting: float = 1.0
    task_creating: float = 2.0
    task_starting: float = 5.0
    task_stopping: float = 5.0
    task_deleting: float = 2.0
    instance_creating: float = 10.0


INSTANT = Durations(
    endpoint_creating=0,
    endpoint_modifying=0,
    endpoint_deleting=0,
    testing=0,
    connect_timeout=0,
    connection_deleting=0,
    task_creating=0,
    task_starting=0,
    task_stopping=0,
    task_deleting=0,
    instance_creating=0,
)
"""Every state is over by the next call."""


@dataclass(frozen=True, kw_only=True)
class Quotas:
    """Per account and Region (section 2), and the one token bucket of all DMS calls."""

    certificates: int = 100
    endpoints: int = 1_000
    endpoints_per_instance: int = 100
    instances: int = 60
    tasks: int = 600
    calls_at_once: int = 200
    calls_per_second: float = 8.0
    throttled: bool = True
