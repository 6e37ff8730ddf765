"""Whose requests the page answers: those for its own name, from itself.

A page elsewhere could otherwise have a visitor's browser ask, under a name that it makes the
browser take for this machine's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

_FORBIDDEN = {
    "http": [
        {
            "type": "http.response.start",
            "status": 403,
            "headers": [(b"content-type", b"text/plain")],
        },
        {"type": "http.response.body", "body": b"This page answers its own requests alone."},
    ],
    "websocket": [{"type": "websocket.close", "code": 1008}],
}


class OwnRequests:
    """ASGI middleware that refuses requests whose Host or Origin is not among `hosts`."""

    def __init__(self, app: Callable[..., Awaitable[None]], hosts: set[str]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answers a request."""
        if scope["type"] in _FORBIDDEN and not self._is_own(scope["headers"]):
            for message in _FORBIDDEN[scope["type"]]:
                await send(message)
        else:
            await self.app(scope, receive, send)

    def _is_own(self, headers: list[tuple[bytes, bytes]]) -> bool:
        named = [f"//{value.decode('latin-1')}" for name, value in headers if name == b"host"]
        origins = [value.decode("latin-1") for name, value in headers if name == b"origin"]
        try:
            return bool(named) and {urlsplit(url).hostname for url in named + origins} <= self.hosts
        except ValueError:  # an address that is none
            return False
