"""A name belongs to whoever answers for it, with as many addresses as fit into an answer."""

import socket
from typing import Any

from certifier.probe import AddressPolicy, ProbeReport, ProbeRequest, probe
from certifier.vocabulary import Cause


def look(policy: AddressPolicy, *more: str) -> ProbeReport:
    """Probe a name with 5,000 addresses on which nobody listens, and some more."""
    found = [f"127.{a}.{b}.1" for a in range(1, 26) for b in range(200)]

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (ip, port)) for ip in (*found, *more)]

    request = ProbeRequest("db.example.com", port=1, timeout=5.0, policy=policy)
    return probe(request, resolve=resolve)


def test_thousands_of_addresses_do_not_fill_the_record() -> None:
    """Sixteen are dialled, and the first 256 reported."""
    report = look(AddressPolicy.anywhere())
    assert report.findings[0].cause is Cause.CONNECTION_REFUSED
    assert len(report.evidence.addresses) == 256
    assert sum(each.outcome == "refused" for each in report.evidence.addresses) == 16
    assert len(report.model_dump_json()) < 50_000


def test_all_of_them_are_held_against_the_policy() -> None:
    """A forbidden one may hide at the end: DMS picks its own."""

    class AllButTheLast(AddressPolicy):
        def objection_to_address(self, address: str) -> str | None:
            return "forbidden" if address == "169.254.169.254" else None

    report = look(AllButTheLast(local=True), "169.254.169.254")
    assert report.findings[0].cause is Cause.ADDRESS_FORBIDDEN
