"""Why a key is not read is said in words, and whatever comes in is never passed on."""

import subprocess

import pytest

from certifier.certificate.curves import why_not_read

WHY = "cannot be read (UnsupportedAlgorithm)"


def made(*options: str, form: str = "DER") -> bytes:
    """A key as OpenSSL's command writes it."""
    command = ("openssl", "genpkey", "-outform", form, *options)
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def converted(*command: str, given: bytes) -> bytes:
    asked = ("openssl", *command)
    done = subprocess.run(asked, input=given, capture_output=True, check=True, timeout=60)
    return done.stdout


def test_each_form_of_a_key_names_its_curve() -> None:
    """PKCS#8, SEC1, and the public part of a certificate."""
    own = made("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:sect571r1")
    sec1 = converted("ec", "-inform", "DER", "-outform", "DER", given=own)
    public = converted("pkey", "-inform", "DER", "-pubout", "-outform", "DER", given=own)
    for der in (own, sec1, public):
        assert why_not_read(der, WHY).startswith("is on the elliptic curve sect571r1: libpq")


def test_a_curve_without_a_name_is_its_number() -> None:
    """X9.62's c2pnb163v1."""
    own = made("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:c2pnb163v1")
    assert "curve 1.2.840.10045.3.0.1: " in why_not_read(own, WHY)


def test_both_forms_of_an_rsa_key_with_three_primes() -> None:
    """PKCS#8 and PKCS#1; one of two primes is not called that."""
    several = "rsa_keygen_primes:3"
    own = made("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", several)
    pkcs1 = converted("rsa", "-traditional", "-inform", "DER", "-outform", "DER", given=own)
    for der in (own, pkcs1):
        assert why_not_read(der, "x").startswith("is RSA of more than two primes")
    assert why_not_read(made("-algorithm", "RSA"), "x") == "x"


@pytest.mark.parametrize(
    "der", [b"", b"0", b"\x30\x00", b"\x30\x02\xa0\x00", b"\x30\x04\xa0\x02\x06\x00", b"x" * 99]
)
def test_what_is_not_a_key_has_the_reason_that_is_known(der: bytes) -> None:
    """No error, whatever it is."""
    assert why_not_read(der, WHY) == WHY


def test_a_key_that_is_damaged_is_not_said_to_be_on_an_unread_curve() -> None:
    """The library has that curve, and met something else."""
    own = made("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    assert why_not_read(own, "cannot be read (ValueError)") == "cannot be read (ValueError)"
