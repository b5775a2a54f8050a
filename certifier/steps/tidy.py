"""Tidy: once a day, delete our DMS certificates that nobody has used for a week.

Ours are those whose identifier has this installation's prefix, and that bear its tag; others, also
those of another installation in the account, are never touched. A certificate is used when an
endpoint or a data provider has it, or an undo log may have to give it back to an endpoint. (A
serverless replication has the certificates of its endpoints.) The store remembers since when one is
unused, and a run that uses it again makes it forget: the entry is taken away right before the
deletion, so that a run in between is not left without its certificate.
"""

from datetime import timedelta

from certifier.endpoint.facts import DmsCertificate
from certifier.errors import Refused, Unexpected
from certifier.ownership import STACK_TAG, certificate_prefix, is_ours
from certifier.run.event import Event, Nothing
from certifier.run.mail import about_undeleted
from certifier.run.site import Site
from certifier.steps.context import StepContext, StepSettings
from certifier.vocabulary import Mode

KEPT = timedelta(days=7)
"""How long a certificate stays after the last endpoint has let go of it."""


class TidySettings(StepSettings):
    """Where people are notified of what cannot be deleted, and where the documents are."""

    topic: str
    docs_url: str = ""


class TidyEvent(Event):
    """``execution``: the machine's execution ARN. In plan mode nothing is tidied."""

    execution: str
    mode: Mode


def run(event: TidyEvent, context: StepContext[TidySettings]) -> Nothing:
    """Delete what is due to go, if this is the first execution of the day (UTC).

    Raises:
        Retryable: AWS did not answer; the machine calls again.
    """
    if event.mode is Mode.PLAN:
        return Nothing()
    if not context.store.first_of_day(context.now(), event.execution):
        return Nothing()
    prefix = certificate_prefix(context.settings.installation)
    ours = [each for each in context.dms.all_certificates() if each.identifier.startswith(prefix)]
    used = _used(context)
    providers = _of_providers(context)
    unknown = providers if isinstance(providers, str) else None
    used |= frozenset() if isinstance(providers, str) else providers
    noted = context.store.unused()
    for certificate in ours:
        if certificate.arn in used:
            if certificate.digest in noted:
                context.store.forget_unused(certificate.digest)
        else:
            _let_go(certificate, context, unknown)
    for gone in noted.keys() - {certificate.digest for certificate in ours}:
        context.store.forget_unused(gone)
    return Nothing()


def _used(context: StepContext[TidySettings]) -> set[str]:
    """Return the ARN of every DMS certificate that an endpoint has or may get back."""
    used = {endpoint.fields.certificate_arn for endpoint in context.dms.all_endpoints()}
    used |= context.store.certificates_in_logs()
    return {arn for arn in used if arn is not None}


def _of_providers(context: StepContext[TidySettings]) -> frozenset[str] | str:
    """Return the ARN of every DMS certificate that a data provider has, or why nobody knows."""
    try:
        providers = context.dms.data_providers()
    except (Refused, Unexpected) as problem:
        return f"a data provider may have it, and those cannot be listed ({problem})"
    return frozenset(one.certificate_arn for one in providers if one.certificate_arn)


def _let_go(
    certificate: DmsCertificate, context: StepContext[TidySettings], unknown: str | None
) -> None:
    """Note that nobody uses it; delete it once that has been so for a week.

    Args:
        unknown: why it is not known whether somebody uses it; then it stays, and people are
            notified once a week.
    """
    since = context.store.note_unused(certificate.digest, context.now())
    if context.now() - since < KEPT or not context.store.take_unused(certificate.digest, since):
        return
    if (why := unknown or _not_deleted(certificate, context)) is not None:
        settings = context.settings
        site = Site.of(certificate.arn, settings.installation, settings.docs_url)
        sent = about_undeleted(site, certificate.identifier, certificate.arn, why)
        context.topic(settings.topic).publish(sent.subject, sent.message)


def _not_deleted(certificate: DmsCertificate, context: StepContext[TidySettings]) -> str | None:
    """Delete a certificate; return why that is not possible, if so."""
    if not is_ours(context.dms.tags(certificate.arn), context.settings.installation):
        return f"it lacks the tag {STACK_TAG} of {context.settings.installation}"
    try:
        # In use after all: somebody took it since. Its week begins anew if they let go of it.
        context.dms.delete_certificate(certificate.arn)
    except Refused as refused:
        return refused.seen or str(refused)
    return None
