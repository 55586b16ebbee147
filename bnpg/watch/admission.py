"""Who may look: on loopback everybody on this machine, elsewhere whoever knows the token.

The token comes once in the address (`?token=`), then as a cookie that no script can read and no other site
can send; programs may send it as `Authorization: Bearer`. On loopback the Host header is checked, so that no
web site can reach this server through a name of its own (DNS rebinding).
"""

import hmac
import secrets
import socket
from ipaddress import ip_address
from pathlib import Path

from bnpg_protocol.process.security.endpoints import host_and_port
from bnpg_protocol.wire.errors import InsecureSetup
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from bnpg_files.reading import read_text
from bnpg_math.errors import InputError

COOKIE = "bnpg-watch"
SHORTEST = 16
_LONGEST = 4096
"""Characters a token must have."""
_LOCAL_NAMES = {"localhost", "127.0.0.1", "[::1]"}


def parse_listen(listen: str) -> tuple[str, int]:
    """Return host and port.

    Raises
    ------
    InputError
        If it is not HOST:PORT with an address or `localhost` as host.
    """
    try:
        return host_and_port(listen, "--listen")
    except InsecureSetup as error:
        raise InputError(str(error)) from None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    return host == "localhost" or ip_address(host).is_loopback


def read_token(path: Path) -> str:
    """Return the token in a file.

    Raises
    ------
    InputError
        If it cannot be read or is too short.
    InsecureSetup
        If others than its owner can read the file.
    """
    try:
        token = read_text(path, InputError, _LONGEST).strip()
        mode = path.stat().st_mode
    except OSError as error:
        raise InputError(f"--token-file {path} cannot be read: {error.strerror}") from None
    except InputError as error:
        raise InputError(f"--token-file {error}") from None
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(
            f"--token-file {path} must hold one word of {SHORTEST} printable ASCII characters or more"
        )
    if mode & 0o007:
        raise InsecureSetup(f"--token-file {path} can be read by everybody on this machine; chmod o= it")
    return token


def new_token() -> str:
    """Return a token nobody can guess."""
    return secrets.token_urlsafe(24)


class TokenAdmission:
    """Decides on every request.

    Parameters
    ----------
    token : str or None
        None lets in everybody who reaches the socket under a local name.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token

    def answer(self, request: Request) -> Response | None:
        """Return None if the request may pass, else what it gets instead."""
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("this server only reads\n", 405, headers={"Allow": "GET, HEAD"})
        if self._token is None:
            host = request.headers.get("host", "")
            if (host if _bare(host) else host.rsplit(":", 1)[0]) not in _LOCAL_NAMES:
                return PlainTextResponse("this server answers to localhost only\n", 421)
            return None
        presented = request.query_params.get("token")
        if presented is not None and self._is_token(presented):
            url = URL(str(request.url)).remove_query_params("token")
            redirect = RedirectResponse(url.path, 303)
            redirect.set_cookie(COOKIE, self._token, httponly=True, samesite="strict")
            return redirect
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._is_token(request.cookies.get(COOKIE, "")) or self._is_token(bearer):
            return None
        return PlainTextResponse("open the address that `bnpg watch` printed: it ends in ?token=..\n", 401)

    def _is_token(self, presented: str) -> bool:
        assert self._token is not None
        return hmac.compare_digest(presented.encode(), self._token.encode())


def _bare(host: str) -> bool:
    """Whether a Host header has no port."""
    return ":" not in host or host.endswith("]")


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises
    ------
    InputError
        If the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(64)
    except OSError as error:
        made.close()
        raise InputError(f"--listen {host}:{port}: {error.strerror}") from None
    return made
