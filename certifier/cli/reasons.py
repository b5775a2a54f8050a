"""What a command says when AWS does not do what it asks: what happened, and what to look at."""

from certifier.errors import (
    Busy,
    CertifierError,
    InvalidEvent,
    Refused,
    Throttled,
    Unavailable,
    Unreadable,
)

_HINTS = (
    ("Unable to locate credentials", "give --profile, or sign in"),
    ("You must specify a region", "give --region, or set AWS_REGION"),
    ("ExpiredToken", "sign in again"),
    ("token included in the request is expired", "sign in again"),
    (
        "is not authorized to perform",
        "docs/operate/permissions.md says what each command needs",
    ),
    *(
        (code, "sign in again; look at the secret key and at this machine's clock")
        for code in (
            *("AuthFailure", "IncompleteSignature", "InvalidAccessKeyId", "InvalidSignature"),
            *("MissingAuthenticationToken", "RequestExpired", "RequestTimeTooSkewed"),
            "SignatureDoesNotMatch",
        )
    ),
)
"""What to do, by what AWS or botocore says."""


def reason(error: CertifierError) -> str:
    """Return the sentence, or the sentences, for people."""
    match error:
        case Refused(seen=seen) if seen:
            hint = next((do for said, do in _HINTS if said in seen), None)
            return seen if hint is None else f"{seen.rstrip('.')}: {hint}"
        case InvalidEvent(problems=problems):
            return "\n  ".join(problems)
        case Throttled():
            return f"AWS takes no more calls for now ({error}); try again in a minute"
        case Busy():
            return f"something else is changing the same thing ({error}); try again in a minute"
        case Unavailable() if str(error) == "HTTPClientError":  # its subclasses say more
            look = "look at the credentials (is there a line break in one?), a proxy, and"
            return f"the request could not be made ({error}): {look} AWS_ENDPOINT_URL"
        case Unavailable() if "Connect" in str(error):
            look = "look at the network, the Region, and AWS_ENDPOINT_URL"
            return f"AWS cannot be reached ({error}): {look}"
        case Unavailable():
            return f"AWS does not answer ({error}); try again in a minute"
        case Unreadable():
            invalid = f"the {error} in the table is not valid in this version of Certifier"
            again = ", or register the source again" if str(error).startswith("SPEC ") else ""
            return f"{invalid}; deploy the version that wrote it{again}"
    return f"AWS answers what was not expected ({error}); please report it"
