"""Where a person says that a server is."""

import pytest

from certifier.cli import main
from certifier.cli.address import NotAnAddress, ServerAddress, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("db.example.com", ServerAddress("db.example.com")),
        ("db.example.com:5433", ServerAddress("db.example.com", 5433)),
        ("192.0.2.1:5433", ServerAddress("192.0.2.1", 5433)),
        ("2001:db8::1", ServerAddress("2001:db8::1")),
        ("[2001:db8::1]", ServerAddress("2001:db8::1")),
        ("[2001:db8::1]:5433", ServerAddress("2001:db8::1", 5433)),
        ("postgres://db.example.com", ServerAddress("db.example.com")),
        (
            "postgresql://app:p%40ss@db.example.com:5433/or%20ders?sslmode=verify-ca&sslrootcert=r",
            ServerAddress("db.example.com", 5433, "app", "p@ss", "or ders", "verify-ca", "r"),
        ),
        (
            "postgres://a:b:c@[2001:db8::1]:6000/d",
            ServerAddress("2001:db8::1", 6000, "a", "b:c", "d"),
        ),
        ("postgres:///d?host=h&port=1&user=u", ServerAddress("h", 1, "u", database="d")),
    ],
)
def test_what_people_paste_is_understood(text: str, address: ServerAddress) -> None:
    """A host, a host with its port, and libpq's address with everything that it may hold."""
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "db:port",
        "db:0",
        "db:70000",
        "db:",
        "[::1",
        "[::1]5432",
        "mysql://u:hunter2@db/d",
        "postgres://u:hunter2@/d",
        "postgres://u:hunter2@a,b/d",
        "postgres://u:hunter2@[::1/d",
        "postgres://u:hunter2@db:x/d",
    ],
)
def test_what_cannot_be_read_is_described_and_not_repeated(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence and exit status 2; a password in it is not printed."""
    with pytest.raises(NotAnAddress):
        parse_address(text)
    assert main(["probe", text]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("certifier probe: ")
    assert captured.err.count("\n") == 1
    assert "hunter2" not in captured.out + captured.err


@pytest.mark.parametrize("more", [[], ["--json"], ["extra"], ["--port", "x"]])
def test_a_password_in_an_address_is_never_printed(
    more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Not by the report, in either form, and not by a complaint about the arguments."""
    address = "postgres://app:hunter2@127.0.0.1:1/orders"
    assert main([*more, "probe", address] if more == ["extra"] else ["probe", address, *more]) != 0
    captured = capsys.readouterr()
    assert "hunter2" not in captured.out + captured.err
    assert captured.out or captured.err
    assert "hunter2" not in repr(parse_address(address))


def test_an_address_says_what_options_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    """Its port is dialled; a mode and a port given as options count more than the address."""
    assert main(["probe", "127.0.0.1:1"]) == 1
    assert "127.0.0.1, port 1" in capsys.readouterr().out
    address = "postgres://app@127.0.0.1:1/orders?sslmode=require"
    assert main(["probe", address]) == 1
    assert "require to 127.0.0.1, port 1" in capsys.readouterr().out
    assert main(["probe", address, "--ssl-mode", "verify-ca", "--port", "2"]) == 1
    assert "verify-ca to 127.0.0.1, port 2" in capsys.readouterr().out
    assert main(["probe", "postgres://127.0.0.1:1/orders?sslmode=prefer"]) == 2
    assert "prefer is refused" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "host=db.example.com password=hunter2",
        "password='hunter2' host=db.example.com",
        "postgresql:dms:hunter2@db.example.com",
        "dms hunter2",
        "postgresql://dms@host=db.example.com password=hunter2/orders",
        "db.example.com\thunter2",
    ],
)
def test_a_connection_string_is_not_a_host(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody asks a name server for the password in it, and it is not printed."""
    with pytest.raises(NotAnAddress) as caught:
        parse_address(text)
    assert "hunter2" not in str(caught.value)
    assert main(["probe", text]) == 2
    printed = capsys.readouterr()
    assert "hunter2" not in printed.out + printed.err
    assert "libpq's address" in printed.err
