"""``docs/operate/costs.md``: what an installation costs in a month, and what each part of it is.

How much a certification of an unchanged source uses is counted by ``python -m bench.fleet``, which
fails when it counts more than ``FIGURES``. How long a function runs and how much it logs cannot be
counted without an account: those are assumptions, and marked so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from handbook.text import NOTICE, table

PRINTED = Path(__file__).parent.parent / "bench" / "fleet.txt"
"""What ``python -m bench.fleet`` has printed, with the sums among the lines of its progress."""
ENDED = "linear: no figure of a source grows"
"""What it prints last, when no bound was broken."""
NOT_ENDED = (
    " before it was stopped: 1,000 rotating sources, and all of them due at once, have not been"
    " measured to the end"
)
DAYS = 30
TICKS = DAYS * 24 * 6
FLEETS = (10, 100, 1000)


@dataclass(frozen=True)
class Figures:
    """What is used, counted in the sandbox where ``_ASSUMED`` does not name it.

    Attributes:
        transitions: of the child execution over one unchanged source, two looks at DMS included.
        invocations: of functions, in that child execution.
        item_reads, item_writes: units of DynamoDB, by the length of a source's state; an item in a
            transaction counts twice.
        object_writes, object_reads: requests to S3.
        secret_reads: calls to Secrets Manager.
        metrics: that the installation sends in an hour, whatever the fleet.
        idle_transitions: of a tick that finds nothing due.
        run_transitions: of an execution that has sources, besides its children.
        lambda_seconds: of those functions (assumed: ``CALL_SECONDS`` of sandbox/aws/cloud.py for
            each call to AWS, and ``START_SECONDS`` of bench/fleet.py for each invocation).
        log_bytes: of one invocation (assumed).
        record_bytes: of a record, its page and the documents of its run.
        page_item_bytes: of a source in the table, which the page of the fleet reads (assumed).
        page_gigabyte_seconds: of a source on that page (assumed: 15 ms at 512 MB).
        page_bytes: of a source on that page and beside it; a version is kept for a day (assumed).
        events: on the bus.
        alarms, dashboards: of the stack.
    """

    transitions: float = 13.5
    invocations: float = 8.2
    item_reads: float = 26.4
    item_writes: float = 30.2
    object_writes: float = 9.3
    object_reads: float = 16.5
    secret_reads: float = 5
    metrics: int = 8
    idle_transitions: int = 3
    run_transitions: int = 7
    lambda_seconds: float = 13.3
    log_bytes: int = 2_000
    record_bytes: int = 36_000
    page_item_bytes: int = 6_000
    page_gigabyte_seconds: float = 0.0075
    page_bytes: int = 6_000
    events: int = 1
    alarms: int = 9
    dashboards: int = 1

    @property
    def invocation_seconds(self) -> float:
        """Of one invocation, on average."""
        return self.lambda_seconds / self.invocations


FIGURES = Figures()
RECORD_DAYS = 400
MEMORY = 0.5
"""GB of a function."""
SCANNED = 8_192
"""Bytes that a read unit pays for when a table is scanned as it was a moment ago."""
PRICED = "November 2026"
PRICES: Mapping[str, tuple[float, str]] = MappingProxyType(
    {
        "transition": (25e-6, "Step Functions Standard: $25.00 for a million state transitions"),
        "invocation": (0.2e-6, "Lambda: $0.20 for a million requests"),
        "gigabyte_second": (13.3334e-6, "Lambda on arm64: $13.33 for a million GB-seconds"),
        "metric": (
            0.30,
            "CloudWatch: $0.30 for a metric and month, by the hour of use",
        ),
        "alarm": (0.10, "CloudWatch: $0.10 for an alarm and month"),
        "dashboard": (3.00, "CloudWatch: $3.00 for a dashboard and month"),
        "log_byte": (0.50e-9, "CloudWatch Logs: $0.50 for a GB taken in"),
        "item_read": (0.125e-6, "DynamoDB on demand: $0.125 for a million read units"),
        "item_write": (0.625e-6, "DynamoDB on demand: $0.625 for a million write units"),
        "object_write": (5e-6, "S3: $5.00 for a million PUT and LIST requests"),
        "object_read": (0.4e-6, "S3: $0.40 for a million GET requests"),
        "stored_byte": (0.023e-9, "S3: $0.023 for a GB and month"),
        "event": (1e-6, "EventBridge: $1.00 for a million events of one's own"),
        "trace": (5e-6, "X-Ray: $5.00 for a million traces"),
        "secret_read": (5e-6, "Secrets Manager: $0.05 for 10,000 calls"),
    }
)
"""Dollars for one of each, by the list of us-east-1."""


def parts(sources: int, used: Figures = FIGURES) -> Mapping[str, float]:
    """Return what each part costs in a month, in dollars, for a fleet that hardly ever changes.

    Every source is certified once a day; free tiers are left out.
    """
    certifications = sources * DAYS
    runs = min(certifications, TICKS)  # one at most for each tick, however many sources are due
    invocations = certifications * used.invocations + TICKS + 2 * runs  # Select; Tidy and Report
    transitions = (
        certifications * (used.transitions + 1)  # the start of a child counts as one
        + runs * used.run_transitions
        + (TICKS - runs) * used.idle_transitions
    )
    p = {name: price for name, (price, _) in PRICES.items()}
    of_invocation = p["invocation"] + used.invocation_seconds * MEMORY * p["gigabyte_second"]
    page = (  # of the fleet, which every execution writes
        used.page_item_bytes / SCANNED * p["item_read"]
        + used.page_gigabyte_seconds * p["gigabyte_second"]
        + used.page_bytes / DAYS * p["stored_byte"]
    )
    return {
        "Step Functions": transitions * p["transition"],
        "CloudWatch metrics": used.metrics * p["metric"],
        "Lambda": invocations * of_invocation,
        "S3": certifications
        * (used.object_writes * p["object_write"] + used.object_reads * p["object_read"])
        + TICKS * p["object_write"]
        + sources * RECORD_DAYS * used.record_bytes * p["stored_byte"],
        # A trace is one request with all that it calls (X-Ray pricing): an execution has one.
        "X-Ray": (certifications + TICKS) * p["trace"],
        "CloudWatch alarms": used.alarms * p["alarm"],
        "CloudWatch dashboard": used.dashboards * p["dashboard"],
        "EventBridge": certifications * used.events * p["event"],
        "Secrets Manager calls": certifications * used.secret_reads * p["secret_read"],
        "CloudWatch Logs": invocations * used.log_bytes * p["log_byte"],
        "DynamoDB": certifications
        * (used.item_reads * p["item_read"] + used.item_writes * p["item_write"]),
        "The fleet page": runs * (sources * page + 2 * p["object_write"] + p["object_read"]),
    }


def total(sources: int) -> float:
    """Return what a fleet costs in a month, in dollars."""
    return sum(parts(sources).values())


FREE: Mapping[str, tuple[tuple[str, float], ...]] = MappingProxyType(
    {
        "Step Functions": (("transition", 4_000),),
        "CloudWatch metrics": (("metric", 10),),
        "Lambda": (("invocation", 1_000_000), ("gigabyte_second", 400_000)),
        "X-Ray": (("trace", 100_000),),
        "CloudWatch alarms": (("alarm", 10),),
        "CloudWatch dashboard": (("dashboard", 3),),
        "CloudWatch Logs": (("log_byte", 5e9),),
    }
)
"""What AWS gives away each month without end, by part; all accounts that are billed together share
it."""


def free(sources: int) -> float:
    """Return what of that a fleet uses, in dollars, where nothing else uses any."""
    paid = parts(sources)
    return sum(
        min(paid[part], sum(PRICES[name][0] * amount for name, amount in given))
        for part, given in FREE.items()
    )


_INTRODUCTION = f"""\
# Costs

About **${total(100):.0f} a month for 100 sources and ${total(1000):.0f} for 1,000**, by the list
prices of us-east-1 in {PRICED}, when hardly anything changes. No bill of a real account has been
read yet: this is arithmetic. DMS itself, your databases and your secrets cost what they cost
without Certifier.

{NOTICE}
What uses what: each source is certified once a day, and the schedule looks every ten minutes for
what is due. A change costs a fraction of a cent more: rehearsing, pausing, configuring and testing
are loops of three states, polled every 15 seconds.
"""

_ASSUMED = frozenset(
    {
        "lambda_seconds",
        "log_bytes",
        "page_item_bytes",
        "page_gigabyte_seconds",
        "page_bytes",
    }
)


def page() -> str:
    """Return the whole document."""
    by_fleet = {sources: parts(sources) for sources in FLEETS}
    rows = [
        (part, *(f"${by_fleet[sources][part]:.2f}" for sources in FLEETS))
        for part in parts(FLEETS[-1])
    ]
    rows.append(("**a month**", *(f"**${total(sources):.2f}**" for sources in FLEETS)))
    used = [
        (_MEANINGS[name], f"{value:,}", "assumed" if name in _ASSUMED else "counted")
        for name, value in vars(FIGURES).items()
    ]
    return "\n".join(
        (
            _INTRODUCTION,
            "## What each part is\n",
            table(("part", *(f"{sources:,} sources" for sources in FLEETS)), rows),
            f"What AWS gives away each month is left out: {_dollars(free(100))} of this at 100"
            f" sources and {_dollars(free(1000))} at 1,000, where nothing else in the accounts that"
            f" are billed together uses any of it: {', '.join(_FREE_WORDS)}.\n",
            "## What is used\n\n`python -m bench.fleet` counts these over an unchanged fleet in the"
            " sandbox, and fails when they are 5 % more than here. Those marked as assumed cannot"
            " be counted without an account.\n",
            table(("per certification", "figure", ""), used),
            _printed(),
            f"## Prices\n\nAs AWS lists them for us-east-1 in {PRICED}; other Regions differ by"
            " some percent.\n",
            "\n".join(f"- {text}" for _, text in PRICES.values()) + "\n",
            _ARITHMETIC,
        )
    )


_MEANINGS: Mapping[str, str] = {
    "transitions": "state transitions",
    "invocations": "invocations of functions",
    "item_reads": "read units of DynamoDB",
    "item_writes": "write units of DynamoDB",
    "object_writes": "PUT and LIST requests to S3",
    "object_reads": "GET requests to S3",
    "secret_reads": "calls to Secrets Manager",
    "metrics": "metrics of the installation, whatever the fleet",
    "idle_transitions": "state transitions of a tick that finds nothing due",
    "run_transitions": "state transitions of an execution with sources, besides its children",
    "lambda_seconds": "seconds of functions, at 512 MB: 0.15 for each call to AWS, 0.3 for each"
    " invocation",
    "log_bytes": "bytes logged by an invocation",
    "record_bytes": "bytes kept of a certification, for 400 days",
    "page_item_bytes": "bytes of a source in the table, read for each page of the fleet",
    "page_gigabyte_seconds": "GB-seconds of a source on such a page: 15 ms at 512 MB",
    "page_bytes": "bytes of a source on such a page, whose versions are kept for a day",
    "events": "events on the bus",
    "alarms": "alarms of the stack, whatever the fleet",
    "dashboards": "dashboards of the stack, whatever the fleet",
}


def _printed() -> str:
    """Return what the benchmark has printed, and whether it came to its end."""
    text = PRINTED.read_text(encoding="utf-8").rstrip()
    ended = ENDED in text
    said = "What it printed:" if ended else f"What it printed{NOT_ENDED}:"
    return f"{said}\n\n```text\n{text}\n```\n"


_FREE_WORDS = (
    "4,000 transitions",
    "10 metrics",
    "a million requests and 400,000 GB-seconds of Lambda",
    "100,000 traces",
    "10 alarms",
    "3 dashboards",
    "5 GB of logs",
)

_THOUSAND = 1000 * DAYS
"""Certifications of 1,000 sources in a month."""
_STATE = _THOUSAND * PRICES["transition"][0]
_OBJECT = _THOUSAND * PRICES["object_write"][0]
_SECRET = _THOUSAND * PRICES["secret_read"][0]
_RUNS = TICKS * FIGURES.run_transitions * PRICES["transition"][0]
_INVOCATION = _THOUSAND * (
    PRICES["invocation"][0]
    + FIGURES.invocation_seconds * MEMORY * PRICES["gigabyte_second"][0]
    + FIGURES.log_bytes * PRICES["log_byte"][0]
)


def _fixed() -> float:
    """Return what an installation costs in a month, whatever its fleet."""
    alike = ("CloudWatch metrics", "CloudWatch alarms", "CloudWatch dashboard")
    return sum(parts(0)[part] for part in alike)


def _dollars(amount: float) -> str:
    return f"${amount:.2f}"


_ARITHMETIC = f"""\
## The arithmetic

A month has {DAYS} days and {TICKS:,} ticks. For *n* sources there are {DAYS} *n* certifications.

- State transitions: {DAYS} *n* × ({FIGURES.transitions} + 1 for the start of the child), and
  {FIGURES.run_transitions} for each tick that finds something, {FIGURES.idle_transitions} for each
  that does not.
- Traces: one for each execution, of the machine or a child; its functions are in it.
- Invocations: {DAYS} *n* × {FIGURES.invocations}, one for each tick, and two for each that finds
  something; of {FIGURES.invocation_seconds:.2f} seconds each. That rests on the calls to AWS, which
  are counted, and on two assumptions that no account has confirmed: 0.15 seconds for a call, and
  0.3 for the start of an invocation, as the average of warm and cold ones.
- Metrics: {FIGURES.metrics} of the whole installation, and none of a single source.

## To pay less
The aim was $20 for 1,000 sources; {_dollars(total(1000))} is what it comes to by the list, and
{_dollars(total(1000) - free(1000))} where nothing else uses what AWS gives away.
{_dollars(_fixed())} of it is the same for one source: dashboard, metrics, alarms.

- `dashboard: false` saves $3 where an account has three dashboards already; where it has not, the
  dashboard is free.
- There is no metric of a single source: for 1,000 sources those would cost $300. What is known of
  one source is in `certifier status --json` and in its record.
- A state on the usual way costs {_dollars(_STATE)} a month for 1,000 sources, an invocation
  {_dollars(_INVOCATION)}. An unchanged source passes 13 (eight steps, four decisions and a wait),
  and now and then looks at its test once more. What could still go, and why it stays:
  - *Claimed?*, *Decided?* and the first *done?* could go if steps raised errors in place of
    answers, or if a test were started by a state of its own: {_dollars(3 * _STATE)}. Errors would
    then mean two things, in alarms too.
  - Steps could be put together: {_dollars(_STATE + _INVOCATION)} for each. Each has the rights of
    its own work alone, and is repeated alone.
  - *Import certificate* of a source without a pair of its own does nothing:
    {_dollars(_STATE + _INVOCATION)}, if all were of that kind. The machine would have to know what
    the step knows.
- A run over what is due is {FIGURES.run_transitions} states, besides those of its sources, and at
  1,000 sources nearly every tick has one: {_dollars(_RUNS)}. Looking every 20 minutes would save
  half of it, and let a rescue wait twice as long.
- Every object that a certification leaves costs {_dollars(_OBJECT)} for 1,000 sources, written once
  a day. It leaves eight: what five of its steps found, which later steps read, its record, the
  record's page, and its outcome for the report. None of them is written for nobody.
- Secrets Manager is asked five times, {_dollars(_SECRET)} for each: for the tags of both secrets,
  in which their owners consent, for both values, and for the password once more where it is used,
  since no document holds it.
- Functions have 512 MB. Nearly all of their time is spent waiting, so that 256 MB would save half
  of Lambda's part; but then a cold start, which computes, takes twice as long.
- The first look at a connection test comes after 30 seconds when no task is stopped. By then it has
  usually ended, so that one look to start it and one to read its verdict are enough. A longer wait
  saves nothing any more.
- Certifying every second day instead of daily would halve the rest. It would also double the time
  for which a certificate that somebody has replaced stays unnoticed, so there is no setting for it.
- An interface endpoint for a probe in your network costs about $7 a month for each zone and
  service, more than a small fleet. Share those that you have.
"""
