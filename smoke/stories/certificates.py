"""DMS certificates: bundles, identifiers, and filters that match nothing."""

from datetime import UTC, datetime, timedelta

from certifier.aws.dms import Deletion
from certifier.certificate import bundle_digest
from certifier.errors import Refused
from certifier.vocabulary import Cause
from sandbox.pki import Authority, Key, bundle
from smoke.account import Account, Broken
from smoke.book import Book
from smoke.stories.story import Story

_COMMENT = "# the CAs of a smoke\n"
_DAY = timedelta(days=1)  # a date may come back in another time zone


def _play(account: Account, book: Book) -> None:
    now = datetime.now(UTC)
    first = Authority.root("Smoke one", key=Key.RSA_2048, not_after=now + timedelta(days=400))
    last = Authority.root("Smoke two", key=Key.RSA_2048, not_after=now + timedelta(days=800))
    text = _COMMENT + bundle(first, last).decode()
    made = account.certificate("bundle", text)
    _shown(account, book, made.identifier, text, (first, last))
    _again(account, book, made.identifier, text)
    _lowered(account, book, last.certificate_pem.decode())
    _unmatched(account, book)
    fault = account.fault("describe_certificates", MaxRecords=100)
    book.answer("certificates_by_the_hundred", fault is None, fault.text if fault else "")
    gone = [account.dms.delete_certificate(made.arn) for _ in range(2)]
    book.check(
        "an unused certificate is deleted, and gone the second time",
        gone == [Deletion.DELETED, Deletion.GONE],
        gone,
    )


def _shown(
    account: Account, book: Book, identifier: str, text: str, roots: tuple[Authority, Authority]
) -> None:
    shown = account.described_certificate(identifier)
    pem = shown.get("CertificatePem", "")
    comment = "kept" if _COMMENT.strip() in pem else "gone"
    same = "the very text" if pem == text else f"a changed text; the comment is {comment}"
    book.answer("pem_normalised", pem != text, same)
    book.check(
        "the certificates of a bundle come back as they were",
        bundle_digest(pem) == bundle_digest(text),
    )
    until = shown["ValidToDate"].astimezone(UTC)
    ends = [abs(until - root.certificate.not_valid_after_utc) < _DAY for root in roots]
    if any(ends):
        note = f"valid to {until:%Y-%m-%d}, key length {shown.get('KeyLength')}"
        book.answer("bundle_facts_from_last", ends[1], note)
    else:
        book.said("dates of a bundle are those of neither end", f"valid to {until:%Y-%m-%d}")


def _again(account: Account, book: Book, identifier: str, text: str) -> None:
    """The same identifier a second time: plain, with the same content, with another one."""
    fault = account.fault(
        "import_certificate", CertificateIdentifier=identifier, CertificatePem=text
    )
    if fault is None:
        raise Broken(f"DMS took the identifier {identifier} twice")
    book.check(
        "an identifier that is taken is ResourceAlreadyExistsFault",
        fault.code == "ResourceAlreadyExistsFault",
        fault.code,
    )
    book.answer("already_exists_names_arn", bool(fault.arn), fault.arn)
    book.said("a certificate's identifier is taken", fault.text)
    arn = account.dms.import_certificate(identifier, text, tags=account.tags).arn
    found = account.dms.certificate_by_identifier(identifier)
    book.check(
        "importing the same bundle again finds the one that is there",
        found is not None and found.arn == arn,
    )
    other = Authority.root("Smoke three", key=Key.RSA_2048).certificate_pem.decode()
    try:
        account.dms.import_certificate(identifier, other, tags=account.tags)
        refused = "taken"
    except Refused as no:
        refused = no.cause.value
    book.check(
        "another bundle under a taken identifier is refused",
        refused == Cause.DMS_CERTIFICATE_CONFLICT.value,
        refused,
    )
    garbage = account.fault(
        "import_certificate",
        CertificateIdentifier=account.will_make("certificate", "garbage"),
        CertificatePem="no certificate",
    )
    book.check("a text without a certificate is refused", garbage is not None)
    if garbage is not None:
        book.said("a text without a certificate is imported", f"{garbage.code}: {garbage.text}")


def _lowered(account: Account, book: Book, pem: str) -> None:
    identifier = account.will_make("certificate", "Mixed-Case")
    fault = account.fault(
        "import_certificate",
        CertificateIdentifier=identifier,
        CertificatePem=pem,
        Tags=[{"Key": key, "Value": value} for key, value in account.tags.items()],
    )
    if fault is not None:
        book.said("an identifier with capitals is refused", f"{fault.code}: {fault.text}")
        return
    shown = next(
        one.identifier
        for one in account.dms.all_certificates()
        if one.identifier.lower() == identifier.lower()
    )
    book.answer("identifiers_lowered", shown == identifier.lower(), shown)


def _unmatched(account: Account, book: Book) -> None:
    """One question, five operations: where they differ, the note says so."""
    nothing = account.name("nothing")
    arn = account.instance.rsplit(":", 2)[0] + ":endpoint:SMOKENOTHING"
    filters = {
        "describe_certificates": ("certificate-id", nothing),
        "describe_endpoints": ("endpoint-id", nothing),
        "describe_connections": ("endpoint-arn", arn),
        "describe_replication_tasks": ("endpoint-arn", arn),
        "describe_replication_instances": ("replication-instance-id", nothing),
    }
    codes = {}
    for operation, (name, value) in filters.items():
        fault = account.fault(operation, Filters=[{"Name": name, "Values": [value]}])
        codes[operation] = "an empty list" if fault is None else fault.code
    listed = ", ".join(f"{operation} {code}" for operation, code in codes.items())
    note = "all five Describes" if len(set(codes.values())) == 1 else listed
    raises = codes["describe_certificates"] == "ResourceNotFoundFault"
    book.answer("unmatched_filter_raises", raises, note)
    strange = set(codes.values()) - {"ResourceNotFoundFault", "an empty list"}
    book.check("a filter without a match is ResourceNotFoundFault or empty", not strange, listed)


STORY = Story(
    name="certificates",
    does="import a bundle of two throwaway CAs, import it again, look at it, delete it",
    makes="2 DMS certificates (a third import is meant to fail)",
    costs="nothing; under a minute",
    answers=(
        "pem_normalised",
        "bundle_facts_from_last",
        "already_exists_names_arn",
        "identifiers_lowered",
        "unmatched_filter_raises",
        "certificates_by_the_hundred",
    ),
    play=_play,
)
