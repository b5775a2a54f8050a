"""The words that code, JSON documents and the state machine share.

Every vocabulary is a ``StrEnum``: a Choice state compares with ``Outcome.CERTIFIED.value``, a
record holds the same word, and nothing spells it a second time. What a cause means, and what to do
about it, is in ``certifier.diagnosis``.
"""

from enum import StrEnum

EVENT_SOURCE = "certifier"
"""The ``source`` of every event of ours on an EventBridge bus. No rule of the stack matches it."""


class Outcome(StrEnum):
    """How one certification ended."""

    CERTIFIED = "certified"  # proven: by our probe and by the DMS test
    TASK_STOPPED = "task_stopped"  # proven too, but a task that we stopped does not run again
    REFUSED = "refused"  # our checks or the rehearsal said no; endpoint and tasks untouched
    ROLLED_BACK = "rolled_back"  # changed, DMS could not connect, rolled back
    FAILED = "failed"  # unexpected; or it does not connect; or given up once a task was stopped
    PLANNED = "planned"  # plan mode, or waiting for its window
    DEFERRED = "deferred"  # another execution has the source, or the breaker is open

    @property
    def is_proven(self) -> bool:
        """Whether DMS connects with the settings of the source; nothing is said of its tasks."""
        return self in (Outcome.CERTIFIED, Outcome.TASK_STOPPED)

    @property
    def words(self) -> str:
        """What people read."""
        return "task is stopped" if self is Outcome.TASK_STOPPED else self.value.replace("_", " ")


class Severity(StrEnum):
    """How much a finding weighs. Only an error stops a certification."""

    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"

    @property
    def weight(self) -> int:
        """0 for an error, the weightiest; sorts what matters most to the front."""
        return list(Severity).index(self)


class Mode(StrEnum):
    """Whether a run may write (``apply``) or only says what it would do (``plan``)."""

    APPLY = "apply"
    PLAN = "plan"


class Origin(StrEnum):
    """Who started the state machine."""

    SCHEDULE = "schedule"
    EVENT = "event"
    DIRECT = "direct"


class Decision(StrEnum):
    """What Plan changes answers, and the Choice after it reads."""

    PLANNED = "planned"
    UNCHANGED = "unchanged"
    CHANGE = "change"


class SettingsUnderTest(StrEnum):
    """Which settings of the endpoint a DMS test is meant to prove."""

    NEW = "new"
    OLD = "old"


class Action(StrEnum):
    """What Configure endpoint does: one Lambda serves two states."""

    APPLY = "apply"
    ROLL_BACK = "roll_back"


class Witness(StrEnum):
    """Where a finding was seen: a verdict always names its witness."""

    INTAKE = "intake"  # the material, read from secrets and bundle
    PROBE = "probe"  # our own TLS connection
    PLAN = "plan"  # comparing the endpoint with the source
    REHEARSAL = "rehearsal"  # DMS, with a canary endpoint
    DMS_TEST = "dms_test"  # DMS, with the endpoint itself
    WORKFLOW = "workflow"  # a step of the machine itself


class SslMode(StrEnum):
    """The modes of a DMS endpoint, weakest first (botocore dms#DmsSslModeValue)."""

    NONE = "none"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"

    @property
    def strength(self) -> int:
        """0 (plain text) to 3 (verify-full): a change to a smaller number weakens the endpoint."""
        return list(SslMode).index(self)

    @property
    def verifies(self) -> bool:
        """Whether the server certificate is checked against a CA, so that DMS needs one."""
        return self in (SslMode.VERIFY_CA, SslMode.VERIFY_FULL)


class Metric(StrEnum):
    """What is measured of an installation (``certifier.run.measures``), by CloudWatch's name."""

    CERTIFIED = "Certified"
    TASK_STOPPED = "Task_stopped"
    REFUSED = "Refused"
    ROLLED_BACK = "Rolled_back"
    FAILED = "Failed"
    PLANNED = "Planned"
    DEFERRED = "Deferred"
    DAYS_LEFT = "DaysLeft"
    SHARE_LEFT = "ShareLeft"
    LATE_CERTIFICATES = "LateCertificates"
    PENDING_RESTARTS = "PendingRestarts"
    RESTART_WAIT = "RestartWait"
    TICKS = "Ticks"
    SOURCES_DUE = "SourcesDue"
    SOURCES_NOT_TAKEN = "SourcesNotTaken"
    DMS_THROTTLES = "DmsThrottles"
    STARTS_REFUSED = "StartsRefused"
    NOTICES_UNSENT = "NoticesUnsent"


class Stage(StrEnum):
    """How far a probe, or a libpq connection, came before it failed."""

    ADDRESS = "address"  # host and port are well-formed and allowed
    DNS = "dns"
    TCP = "tcp"
    SSL_REQUEST = "ssl_request"  # the SSLRequest packet and its one-byte answer
    TLS = "tls"
    STARTUP = "startup"  # after TLS: pg_hba and the like, before authentication
    LOGIN = "login"
    QUERY = "query"


class Cause(StrEnum):
    """Every reason that a finding may name. ``certifier.diagnosis`` holds one row for each."""

    # reaching the host
    HOST_INVALID = "host_invalid"
    ADDRESS_FORBIDDEN = "address_forbidden"
    DNS_FAILED = "dns_failed"
    CONNECTION_REFUSED = "connection_refused"
    HOST_UNREACHABLE = "host_unreachable"
    CONNECTION_TIMEOUT = "connection_timeout"
    CONNECTION_RESET = "connection_reset"
    # speaking PostgreSQL and TLS
    NOT_POSTGRESQL = "not_postgresql"
    SSL_OFF = "ssl_off"
    PROTOCOL_VIOLATION = "protocol_violation"
    TLS_ALERT = "tls_alert"
    TLS_FAILED = "tls_failed"
    TLS_NO_SHARED_PROTOCOL = "tls_no_shared_protocol"
    TLS_NO_SHARED_CIPHER = "tls_no_shared_cipher"
    DIRECT_TLS_ONLY = "direct_tls_only"
    CLIENT_CERTIFICATE_REQUIRED = "client_certificate_required"
    SNI_MISSING = "sni_missing"
    # verifying the certificate
    CA_BUNDLE_MISSING = "ca_bundle_missing"
    CA_BUNDLE_INVALID = "ca_bundle_invalid"
    CRL_INVALID = "crl_invalid"
    CHAIN_INCOMPLETE = "chain_incomplete"
    UNKNOWN_AUTHORITY = "unknown_authority"
    SELF_SIGNED = "self_signed"
    SIGNATURE_INVALID = "signature_invalid"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_REVOKED = "certificate_revoked"
    CRL_UNAVAILABLE = "crl_unavailable"
    CERTIFICATE_WRONG_PURPOSE = "certificate_wrong_purpose"
    CERTIFICATE_WEAK = "certificate_weak"
    CERTIFICATE_REJECTED = "certificate_rejected"
    CERTIFICATE_UNREADABLE = "certificate_unreadable"
    HOSTNAME_MISMATCH = "hostname_mismatch"
    HOSTNAME_READING_DIFFERS = "hostname_reading_differs"  # an older libpq says otherwise
    CLIENT_READING_DIFFERS = "client_reading_differs"  # one libpq connects, another does not
    # logging in
    PASSWORD_MISSING = "password_missing"
    PASSWORD_REJECTED = "password_rejected"
    ROLE_NEEDS_IAM = "role_needs_iam"
    UNSAFE_PASSWORD_REQUEST = "unsafe_password_request"
    AUTHENTICATION_UNSUPPORTED = "authentication_unsupported"
    ROLE_MISSING = "role_missing"
    DATABASE_MISSING = "database_missing"
    HBA_REJECTED = "hba_rejected"
    HBA_REJECTED_PLAINTEXT = "hba_rejected_plaintext"
    HBA_FILE_INVALID = "hba_file_invalid"
    HBA_FILE_UNREADABLE = "hba_file_unreadable"
    PERMISSION_DENIED = "permission_denied"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    SERVER_STARTING = "server_starting"
    SERVER_SHUTTING_DOWN = "server_shutting_down"
    POOLER_REJECTED = "pooler_rejected"
    TLS_ENDS_AT_PROXY = "tls_ends_at_proxy"
    PLAINTEXT_ACCEPTED = "plaintext_accepted"
    # reading changes
    SLOT_ACTIVE = "slot_active"
    SLOT_LOST = "slot_lost"
    WAL_LEVEL_LOW = "wal_level_low"
    # what the served certificate and server are like
    CERTIFICATE_EXPIRES_SOON = "certificate_expires_soon"
    TRUST_BY_CROSS_SIGN = "trust_by_cross_sign"
    KEY_TOO_SMALL = "key_too_small"
    SIGNATURE_HASH_WEAK = "signature_hash_weak"
    VALIDITY_TOO_LONG = "validity_too_long"
    TLS_VERSION_OLD = "tls_version_old"
    CA_NOT_STRICT = "ca_not_strict"
    SERVED_CERTIFICATE_DIFFERS = "served_certificate_differs"
    ENDPOINT_CA_DIFFERS = "endpoint_ca_differs"
    DIFFERENT_NODE_ANSWERS = "different_node_answers"
    NOTHING_VERIFIED = "nothing_verified"
    MODE_COULD_BE_RAISED = "mode_could_be_raised"
    # whose it is, and where it may go
    NOT_ALLOWED = "not_allowed"
    HOST_NOT_VOUCHED = "host_not_vouched"
    # the material
    SECRET_UNREADABLE = "secret_unreadable"
    SECRET_INCOMPLETE = "secret_incomplete"
    SECRET_AMBIGUOUS = "secret_ambiguous"
    SECRET_DISAGREES = "secret_disagrees"
    PASSWORD_UNUSABLE = "password_unusable"
    SECRET_NOT_TEXT = "secret_not_text"
    BUNDLE_UNREADABLE = "bundle_unreadable"
    BUNDLE_DIGEST_DIFFERS = "bundle_digest_differs"
    BUCKET_NOT_ALLOWED = "bucket_not_allowed"
    NO_CERTIFICATE = "no_certificate"
    NO_PRIVATE_KEY = "no_private_key"
    NOT_PEM = "not_pem"
    PEM_DAMAGED = "pem_damaged"
    KEY_ENCRYPTED = "key_encrypted"
    KEY_MISMATCH = "key_mismatch"
    KEY_AMBIGUOUS = "key_ambiguous"
    KEY_UNSUPPORTED = "key_unsupported"
    LEAF_AMBIGUOUS = "leaf_ambiguous"
    CHAIN_REPAIRED = "chain_repaired"
    NO_USABLE_CA = "no_usable_ca"
    CA_EXPIRED_DROPPED = "ca_expired_dropped"
    MATERIAL_TOO_LARGE = "material_too_large"
    NEW_TRUST_ANCHOR = "new_trust_anchor"
    ANCHOR_NOT_APPROVED = "anchor_not_approved"
    ANCHOR_NOT_NAMED = "anchor_not_named"
    ACM_UNSUITABLE = "acm_unsuitable"
    ACM_CHAIN_REJECTED = "acm_chain_rejected"
    ACM_AMBIGUOUS = "acm_ambiguous"
    ACM_BEHIND = "acm_behind"
    ACM_FAILED = "acm_failed"
    ACM_QUOTA = "acm_quota"
    INTENDED_CERTIFICATE_UNREADABLE = "intended_certificate_unreadable"
    RENEWED_NOT_SERVED = "renewed_not_served"
    TRUST_UNAVAILABLE = "trust_unavailable"
    TRUST_UNCHECKED = "trust_unchecked"
    NAMED_TRUST_FITS = "named_trust_fits"
    # planning the change
    SOURCE_INVALID = "source_invalid"
    ENDPOINT_GONE = "endpoint_gone"
    ENDPOINT_READ_ONLY = "endpoint_read_only"
    ENDPOINT_TAKEN = "endpoint_taken"
    ENGINE_MISMATCH = "engine_mismatch"
    IAM_AUTHENTICATION = "iam_authentication"
    NEEDS_REPLACEMENT = "needs_replacement"
    WOULD_WEAKEN = "would_weaken"
    IRREVERSIBLE = "irreversible"
    ENDPOINT_WEAKENED = "endpoint_weakened"
    ENDPOINT_MOVED = "endpoint_moved"
    CREDENTIALS_CHANGED = "credentials_changed"
    PERMISSION_USED = "permission_used"
    REVERTED_BY_OTHERS = "reverted_by_others"
    OVERLAP_PENDING = "overlap_pending"
    SHRINK_WAITS = "shrink_waits"
    GROWTH_WAITS = "growth_waits"
    OLD_ANCHORS_DROPPED = "old_anchors_dropped"
    MANY_OLD_ANCHORS = "many_old_anchors"
    TASKS_RUNNING = "tasks_running"
    TASK_IN_FULL_LOAD = "task_in_full_load"
    TASK_COULD_NOT_RESTART = "task_could_not_restart"
    SERVERLESS_REPLICATION = "serverless_replication"
    WINDOW_CLOSED = "window_closed"
    WINDOW_MISSED = "window_missed"
    NO_REPLICATION_INSTANCE = "no_replication_instance"
    REPLICATION_INSTANCE_CHOSEN = "replication_instance_chosen"
    INSTANCE_UNAVAILABLE = "instance_unavailable"
    DMS_CERTIFICATE_CONFLICT = "dms_certificate_conflict"
    DMS_QUOTA = "dms_quota"
    # changing and proving
    REHEARSED_BY_PROBE_ONLY = "rehearsed_by_probe_only"
    CANARY_LEFT = "canary_left"
    DMS_CANNOT_READ_SECRET = "dms_cannot_read_secret"
    DMS_DIFFERS_FROM_PROBE = "dms_differs_from_probe"
    NOT_APPLIED = "not_applied"
    CHANGED_MEANWHILE = "changed_meanwhile"
    UNDO_LOG_UNTRUSTED = "undo_log_untrusted"
    TEST_NEVER_ENDED = "test_never_ended"
    CONNECTION_DELETED = "connection_deleted"
    BROKEN_BEFORE = "broken_before"
    BROKEN_AFTER_ROLLBACK = "broken_after_rollback"
    NOT_ROLLED_BACK = "not_rolled_back"
    INTERRUPTED_RUN_FINISHED = "interrupted_run_finished"
    ENDPOINT_HOLDS_OLD_PASSWORD = "endpoint_holds_old_password"
    TASK_DID_NOT_STOP = "task_did_not_stop"
    TASK_FAILED = "task_failed"
    TASK_NOT_RESTARTED = "task_not_restarted"
    TASK_LEFT_ALONE = "task_left_alone"
    CHANGE_BACKS_OFF = "change_backs_off"
    BREAKER_OPEN = "breaker_open"
    AWS_DENIED = "aws_denied"
    AWS_UNAVAILABLE = "aws_unavailable"
    FUNCTION_CUT_OFF = "function_cut_off"
    UNEXPECTED = "unexpected"
    UNKNOWN = "unknown"
