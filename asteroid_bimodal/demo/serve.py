"""Serves the page on this machine."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from ..models import QueriedSeparator
from .gradio_setup import CSS, load_gradio, make_theme
from .own_requests import OwnRequests
from .page import build_page

_HERE = "127.0.0.1"
_NAMES = (_HERE, "localhost", "::1")  # of this machine, also at the other end of a tunnel to it
_MAX_UPLOAD = "1gb"  # ten minutes of anything that people listen to


@dataclass(frozen=True)
class Address:
    """Where the page is.

    Attributes:
        url: on this machine.
        public: of the tunnel, None unless one was asked for and could be made.
    """

    url: str
    public: str | None


@contextmanager
def serve(
    models: Mapping[str, QueriedSeparator],
    *,
    title: str = "asteroid-bimodal",
    port: int | None = None,
    browser: bool = False,
    share: bool = False,
) -> Iterator[Address]:
    """Serves the page to this machine alone, until the block ends.

    Requests for another name than this machine's, or from a page elsewhere, are refused. What is
    uploaded and found lies in a temporary folder, which is removed at the end.

    Args:
        models: separators to choose from, by name.
        title: of the page.
        port: by default the first free one from 7860.
        browser: open the page in the browser.
        share: also make a public address, by a tunnel through gradio's servers.

    Raises:
        ValueError: when gradio is not installed, and for a port that is none or taken.
    """
    gr = load_gradio()
    from starlette.middleware import Middleware

    _check_port(port)
    hosts = set(_NAMES)
    with TemporaryDirectory(prefix="asteroid_bimodal_") as folder, _uploads_to(folder):
        page = build_page(models, folder, title=title)
        try:
            _, url, public = page.launch(
                server_name=_HERE,
                server_port=port,
                share=share,
                inbrowser=browser,
                inline=False,
                prevent_thread_lock=True,
                quiet=True,
                show_error=True,
                app_kwargs={"middleware": [Middleware(OwnRequests, hosts=hosts)]},
                allowed_paths=[folder],
                max_file_size=_MAX_UPLOAD,
                footer_links=["gradio"],
                run_history=False,
                enable_monitoring=False,
                ssr_mode=False,
                mcp_server=False,
                pwa=False,
                theme=make_theme(gr),
                css=CSS,
            )
            if public:
                hosts.add(urlsplit(public).hostname or "")
            yield Address(url, public)
        finally:
            page.close(verbose=False)


def _check_port(port: int | None) -> None:
    if port is None:
        return
    if not 0 < port < 2**16:
        raise ValueError(f"{port} is not a port. Choose one from 1 to 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HERE, port))
        except OSError as error:
            raise ValueError(
                f"Port {port} cannot be used ({error.strerror}). Choose another, or none: the "
                "first free one from 7860 is taken then."
            ) from error


@contextmanager
def _uploads_to(folder: str) -> Iterator[None]:
    """Makes gradio keep its files in a folder; an environment variable is its only option."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ["GRADIO_TEMP_DIR"]
        else:
            os.environ["GRADIO_TEMP_DIR"] = before
