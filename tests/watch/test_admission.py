"""Who may look: loopback under a local name, or the token; nobody may do anything else."""

from pathlib import Path
from typing import Any

import pytest
from bnpg_protocol.wire.errors import InsecureSetup
from starlette.requests import Request

from bnpg.watch.admission import (
    COOKIE,
    TokenAdmission,
    bind,
    is_loopback,
    new_token,
    parse_listen,
    read_token,
)
from bnpg_math.errors import InputError

TOKEN = "0123456789abcdef"  # noqa: S105


def request(method: str = "GET", query: str = "", **headers: str) -> Request:
    named = {key.replace("_", "-").encode(): value.encode() for key, value in headers.items()}
    scope: dict[str, Any] = {
        "type": "http", "method": method, "path": "/", "query_string": query.encode(), "scheme": "http",
        "server": ("127.0.0.1", 8765), "headers": list(named.items()), "root_path": "",
    }  # fmt: skip
    return Request(scope)


@pytest.mark.parametrize("host", ["localhost", "localhost:8765", "127.0.0.1:8765", "[::1]:8765", "[::1]"])
def test_a_local_name_may_look_without_a_token(host: str) -> None:
    assert TokenAdmission(None).answer(request(host=host)) is None


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "127.0.0.2:1"]
)
def test_another_name_is_turned_away(host: str) -> None:
    answer = TokenAdmission(None).answer(request(host=host))
    assert answer is not None
    assert answer.status_code == 421


def test_a_request_without_a_host_is_turned_away() -> None:
    answer = TokenAdmission(None).answer(request())
    assert answer is not None
    assert answer.status_code == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("token", [None, TOKEN])
def test_there_is_nothing_but_reading(method: str, token: str | None) -> None:
    answer = TokenAdmission(token).answer(request(method, f"token={TOKEN}", host="localhost"))
    assert answer is not None
    assert answer.status_code == 405


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"query": "token=wrong"},
        {"query": "token="},
        {"cookie": f"{COOKIE}=wrong"},
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer "},
        {"query": "token=%C3%A9"},
    ],
)
def test_without_the_token_nothing_is_shown(sent: dict[str, str]) -> None:
    answer = TokenAdmission(TOKEN).answer(request(host="localhost", **sent))
    assert answer is not None
    assert answer.status_code == 401


@pytest.mark.parametrize("sent", [{"cookie": f"{COOKIE}={TOKEN}"}, {"authorization": f"Bearer {TOKEN}"}])
def test_the_token_lets_in_under_any_name(sent: dict[str, str]) -> None:
    assert TokenAdmission(TOKEN).answer(request(host="cluster.example:80", **sent)) is None


def test_the_token_in_the_address_becomes_a_cookie_and_leaves_the_address() -> None:
    answer = TokenAdmission(TOKEN).answer(request(query=f"token={TOKEN}", host="localhost"))
    assert answer is not None
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


@pytest.mark.parametrize(
    "listen", ["8765", "localhost", "example.org:80", "127.0.0.1:x", "127.0.0.1:70000", ":80"]
)
def test_an_address_must_be_one(listen: str) -> None:
    with pytest.raises(InputError, match="--listen must be HOST:PORT"):
        parse_listen(listen)


def test_loopback_is_told_from_the_rest() -> None:
    assert parse_listen("[::1]:80") == ("::1", 80)
    assert is_loopback("localhost")
    assert is_loopback("127.3.2.1")
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")  # noqa: S104 (nobody listens there)
    assert not is_loopback("192.0.2.1")


def test_a_token_file_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with pytest.raises(InputError, match="cannot be read"):
        read_token(file)
    for bad in ("short", "two words of many letters", "ümlaut-ümlaut-ümlaut"):
        file.write_text(bad)
        file.chmod(0o600)
        with pytest.raises(InputError, match="must hold one word"):
            read_token(file)
    file.write_text(f"{TOKEN}\n")
    assert read_token(file) == TOKEN
    file.chmod(0o604)
    with pytest.raises(InsecureSetup, match="everybody"):
        read_token(file)


def test_new_tokens_are_long_and_differ() -> None:
    assert len({new_token() for _ in range(50)}) == 50
    assert len(new_token()) >= 32


def test_a_port_in_use_is_one_line() -> None:
    with bind("127.0.0.1", 0) as first, pytest.raises(InputError, match="in use"):
        bind("127.0.0.1", first.getsockname()[1])
