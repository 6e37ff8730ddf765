"""`asteroid-bimodal demo`: a page on this machine to try a model on."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from .options import add_device, add_model

_STOP = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def add_command(commands) -> None:
    parser = commands.add_parser(
        "demo",
        help="try a model on a page in the browser",
        description="Serves a page to this machine alone: upload or record, ask, hear and see.",
    )
    add = parser.add_argument
    add_model(parser)
    add("--port", type=int, help="default: the first free one from 7860")
    add("--no-browser", action="store_true", help="do not open the browser")
    add(
        "--share",
        action="store_true",
        help="also make a public address, through gradio's servers: anyone who has it can use it",
    )
    add_device(parser)
    parser.set_defaults(run=_demo)


def _demo(args: argparse.Namespace) -> None:
    from ..demo import load_gradio, serve
    from ..hub import load_model

    load_gradio()  # first: a model may have to be downloaded
    model = load_model(args.model, args.device)
    if args.share:
        print(
            "asteroid-bimodal: --share makes the page public: recordings and results go through "
            "gradio's servers, and anyone who has the address can use this machine's model.",
            file=sys.stderr,
        )
    options = {"port": args.port, "browser": not args.no_browser, "share": args.share}
    with _stopped_by_signals(), serve(model, title=args.model, **options) as address:
        print(f"The page is at {address.public or address.url} – stop it with Ctrl-C.", flush=True)
        _wait()


def _wait() -> None:
    try:
        Event().wait()
    except KeyboardInterrupt:
        pass


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Has signals end the block as Ctrl-C does, with nothing left behind."""

    def stop(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # not again while it tidies up
        sys.exit(128 + number)

    before = {number: signal.getsignal(number) for number in _STOP}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
