"""Whether a certificate names a host: libpq's rules, one by one.

Every row was said by libpq 18 of the same certificate; tests/probe/test_differential.py asks again.
"""

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from certifier.certificate.hostname import HostNames, is_address, match, names_of, sends_server_name
from sandbox.pki import Authority

_ROOT = Authority.root("Example root")
_CERTIFICATE = _ROOT.issue(dns=["a", "b"], ips=["::1"], cn="c").certificate_der


def names(dns: tuple[str | bytes, ...] = (), ips: tuple[str | bytes, ...] = (), **more: object):  # type: ignore[no-untyped-def]
    return names_of(_ROOT.issue(dns=dns, ips=ips, **more).certificate_der)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "host", "matched"),
    [
        ("db.example.com", "db.example.com", True),
        ("DB.Example.COM", "db.eXample.com", True),
        ("db.example.com", "db.example.com.", False),
        ("db.example.com.", "db.example.com", False),
        ("db.example.com.", "db.example.com.", True),
        ("*.example.com", "db.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "a.db.example.com", False),
        ("*.example.com", "*.example.com", True),
        ("*.example.com", "a..example.com", True),  # libpq looks one place too far left
        ("*.example.com", "..example.com", True),
        ("*.example.com", ".example.com", False),
        ("*.*.example.com", "a.b.example.com", False),
        ("db.*.com", "db.example.com", False),
        ("d*.example.com", "db.example.com", False),
        ("*", "db", False),
        ("*.", "db.", False),
        ("*.c", "x.c", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.1", False),
        ("::1", "::1", True),
        ("bücher.example.com", "bücher.example.com", True),
        ("bücher.example.com", "BÜCHER.example.com", False),
        ("xn--bcher-kva.example.com", "bücher.example.com", False),
        ("db.example.com ", "db.example.com", False),
        ("", "db.example.com", False),
    ],
)
def test_a_dns_name_is_compared_as_text(pattern: str, host: str, matched: bool) -> None:
    """ASCII case is folded, one leading label may be a star, and nothing else is forgiven."""
    found = match(names(dns=(pattern,)), host)
    assert found.matched is matched
    assert (found.libpq is None) is matched


@pytest.mark.parametrize(
    ("ip", "host", "matched"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.1", True),
        ("127.0.0.1", "0x7f.0.0.1", True),
        ("127.0.0.1", "2130706433", True),
        ("127.0.0.1", "0177.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("127.0.0.1", "::ffff:127.0.0.1", False),
        ("::ffff:127.0.0.1", "127.0.0.1", False),
        ("::1", "::1", True),
        ("::1", "0:0:0:0:0:0:0:1", True),
        ("2001:db8::1", "2001:DB8::1", True),
        ("::1", "[::1]", False),
        ("::1", "::1%lo", False),
    ],
)
def test_an_address_is_compared_as_bytes(ip: str, host: str, matched: bool) -> None:
    """Every spelling that inet_aton and inet_pton know is the same; brackets and zones are not."""
    found = match(names(ips=(ip,)), host)
    assert found.matched is matched
    assert found.older_libpq is False


@pytest.mark.parametrize(
    ("dns", "ips", "host", "matched"),
    [
        ((), (), "db.example.com", True),
        (("other",), (), "db.example.com", False),
        ((), ("10.0.0.1",), "db.example.com", True),
        (("other",), ("10.0.0.1",), "db.example.com", False),
    ],
)
def test_the_common_name_counts_without_a_dns_name(
    dns: tuple[str, ...], ips: tuple[str, ...], host: str, matched: bool
) -> None:
    """For a name, the CN counts when the SAN has no DNS name."""
    assert match(names(dns, ips, cn="db.example.com"), host).matched is matched


@pytest.mark.parametrize(
    ("dns", "ips", "matched", "older"),
    [
        ((), (), True, True),
        (("other",), (), True, False),
        ((), ("10.0.0.2",), False, True),
        (("other",), ("10.0.0.2",), False, False),
    ],
)
def test_the_common_name_counts_without_an_address(
    dns: tuple[str, ...], ips: tuple[str, ...], matched: bool, older: bool
) -> None:
    """For an address, the CN counts when the SAN has no address; libpq 14 asks for no DNS name."""
    found = match(names(dns, ips, cn="10.0.0.1"), "10.0.0.1")
    assert (found.matched, found.older_libpq) == (matched, older)


def test_of_several_common_names_the_first_counts() -> None:
    """A second CN is never looked at."""
    both = names(cn=("first", "second"))
    assert match(both, "first").matched
    assert not match(both, "second").matched


@pytest.mark.parametrize(
    ("dns", "ips", "text"),
    [
        (
            (b"db.example.com\0.evil.example", "db.example.com"),
            (),
            "SSL certificate's name contains embedded null",
        ),
        (("db.example.com", b"a\0b"), (), None),
        (("other",), (b"12345",), "certificate contains IP address with invalid length 5"),
        (("other",), (b"",), "certificate contains IP address with invalid length 0"),
        (("db.example.com",), (b"12345",), None),
    ],
)
def test_a_broken_name_ends_the_comparison(
    dns: tuple[str | bytes, ...], ips: tuple[bytes, ...], text: str | None
) -> None:
    """A NUL, or an address of no known length, is an error, unless a name matched before it."""
    found = match(names(dns, ips, cn="db.example.com"), "db.example.com")
    assert found.matched is (text is None)
    assert found.libpq == text


@pytest.mark.parametrize(
    ("dns", "ips", "cn", "text"),
    [
        ((), (), None, "could not get server's host name from server certificate"),
        (("a",), (), None, 'server certificate for "a" does not match host name "h"'),
        (
            ("a", "b"),
            (),
            None,
            'server certificate for "a" (and 1 other name) does not match host name "h"',
        ),
        (
            ("a", "b"),
            ("::ffff:127.0.0.1",),
            "c",
            'server certificate for "a" (and 2 other names) does not match host name "h"',
        ),
        ((), ("10.0.0.1",), None, 'server certificate for "10.0.0.1" does not match host name "h"'),
        ((), (), "c", 'server certificate for "c" does not match host name "h"'),
    ],
)
def test_the_text_is_libpqs(
    dns: tuple[str, ...], ips: tuple[str, ...], cn: str | None, text: str
) -> None:
    """The first name and the number of others are named as libpq names them."""
    assert match(names(dns, ips, cn=cn), "h").libpq == text


@pytest.mark.parametrize(
    ("raw", "host", "matched"),
    [
        ("3000", "db.example.com", True),
        ("300582106162", "db.example.com", True),  # cut off: OpenSSL sees no SAN
        ("04026162", "db.example.com", True),  # no sequence
        ("3003820161ffff", "a", True),  # what is behind the sequence is not read
        ("30808201610000", "a", True),  # a length that is left open
        ("3005a203160161", "a", True),  # a string in pieces
        ("3081118281" + "0e" + b"db.example.com".hex(), "db.example.com", True),
        ("3004a4023000", "db.example.com", True),  # a directory name is not a DNS name
        ("300488022a03", "db.example.com", True),
    ],
)
def test_an_odd_encoding_is_read_as_openssl_reads_it(raw: str, host: str, matched: bool) -> None:
    """What OpenSSL decodes counts, and what it does not leaves the common name in force."""
    found = names(san_raw=bytes.fromhex(raw), cn="db.example.com")
    assert match(found, host).matched is matched


def test_a_common_name_of_two_byte_characters_holds_nuls() -> None:
    """libpq compares the bytes of a BMPString, and refuses the zeros between them."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "db", _ASN1Type.BMPString)])
    found = match(names(subject=subject), "db")
    assert not found.matched
    assert found.libpq == "SSL certificate's name contains embedded null"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", True),
        ("127.1", True),
        ("1", True),
        ("0x7f000001", True),
        ("::1", True),
        ("::ffff:1.2.3.4", True),
        ("[::1]", False),
        ("::1%lo", False),
        ("127.0.0.256", False),
        ("127.0.0.1.", False),
        ("db.example.com", False),
        ("", False),
        ("\0", False),
        ("é", False),
    ],
)
def test_what_an_address_is(host: str, address: bool) -> None:
    """inet_aton and inet_pton decide."""
    assert is_address(host) is address


@pytest.mark.parametrize(
    ("host", "sent"),
    [
        ("db.example.com", True),
        ("db.example.com.", True),
        ("127.0.0.1", False),
        ("127.1", False),
        ("1.2.3.4.5.6", False),
        ("0x7f.1", True),
        ("::1", False),
        ("a:b", False),
        ("", False),
    ],
)
def test_what_is_sent_as_server_name(host: str, sent: bool) -> None:
    """libpq sends no name that consists of digits and dots, or that holds a colon."""
    assert sends_server_name(host) is sent


def test_an_empty_host_is_never_named() -> None:
    """libpq refuses verify-full without a host."""
    assert match(names(dns=("",)), "").matched is False


@given(st.binary(max_size=300))
def test_no_bytes_are_an_exception(der: bytes) -> None:
    """Whatever is not a certificate has no names, and raises nothing."""
    assert isinstance(names_of(der), HostNames)


@given(at=st.integers(0, 399), byte=st.integers(0, 255), end=st.integers(0, 600))
def test_no_damage_to_a_certificate_is_an_exception(at: int, byte: int, end: int) -> None:
    """A certificate with any byte changed, or cut anywhere, is still read without an exception."""
    der = bytearray(_CERTIFICATE)
    der[at] = byte
    found = names_of(bytes(der[:end]))
    match(found, "a")
    assert all(isinstance(name, str) for name in found.spelled())
