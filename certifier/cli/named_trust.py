"""What ``--ca-bundle`` takes instead of a file: the words of a source, on this machine alone."""

from certifier.certificate.trust_sets import TrustWord
from certifier.rds_names import rds_name
from certifier.roots import Roots
from certifier.source_values import word_mistake
from certifier.vocabulary import SslMode


def named_bundle(given: str, host: str | None, mode: SslMode, roots: Roots) -> bytes | None:
    """Return the roots that a word stands for (PEM); ``None``: it is a file, not a word.

    Nobody is asked: a Region that the data lacks is not fetched here.

    Raises:
        ValueError: the word does not fit host or mode, or its roots are not known here.
    """
    if given not in set(TrustWord):
        return None
    word = TrustWord(given)
    if word is TrustWord.RDS and host is None:
        raise ValueError("rds needs the host, whose name says the Region")
    mistake = word_mistake(word, host or "", verify_full=mode is SslMode.VERIFY_FULL)
    if mistake is not None:
        raise ValueError(mistake)
    name = rds_name(host or "")
    pem = roots.offline(word, name)
    if not pem:
        where = name.region if word is TrustWord.RDS and name else given
        raise ValueError(
            f"no root for {where} is known to this version; fetch AWS's bundle of the Region and"
            " give the file, or run `make trust` in a checkout"
        )
    return pem.encode()
