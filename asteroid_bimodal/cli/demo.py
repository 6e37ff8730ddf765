"""`asteroid-bimodal demo`: a page on this machine to try a model on."""

from __future__ import annotations

import argparse
import sys
from threading import Event

from ..utils.signals import exit_code
from .parsing import add_device, add_parser


def add_command(commands) -> None:
    parser = add_parser(
        commands,
        "demo",
        _demo,
        help="try a model on a page in the browser",
        description="Serves a page to this machine alone: upload or record, ask, hear and see.",
        examples=["-m mini-events --port 8000"],
    )
    add = parser.add_argument
    add(
        "-m",
        "--model",
        action="append",
        default=[],
        help="a model to choose beside those of the package, and before them; may be given several "
        "times",
    )
    add("--port", type=int, help="default: the first free one from 7860")
    add("--no-browser", action="store_true", help="do not open the browser")
    add(
        "--share",
        action="store_true",
        help="also make a public address, through gradio's servers: anyone who has it can use it",
    )
    add_device(parser)


def _demo(args: argparse.Namespace) -> None:
    from ..demo import LazyModels, load_gradio, serve
    from ..hub import load_model
    from ..models.pretrained import SHIPPED_MODELS

    load_gradio()  # first: a model may have to be downloaded
    names = dict.fromkeys([*args.model, *SHIPPED_MODELS])
    models = LazyModels(names, lambda name: load_model(name, args.device))
    if args.share:
        print(
            "asteroid-bimodal: --share makes the page public: recordings and results go through "
            "gradio's servers, and anyone who has the address can use this machine's model.",
            file=sys.stderr,
        )
    options = {"port": args.port, "browser": not args.no_browser, "share": args.share}
    with serve(models, **options) as address:
        print(f"The page is at {address.public or address.url} – stop it with Ctrl-C.", flush=True)
        _wait()


def _wait() -> None:
    try:
        Event().wait()
    except KeyboardInterrupt as stop:
        if exit_code(stop) != exit_code(KeyboardInterrupt()):  # but Ctrl-C is the usual end
            raise
