"""The page: what is asked on the left, what is found on the right."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from ..models import QueriedSeparator
from .answer import ANSWER_PREFIX, MAX_SECONDS, find_sounds, read_queries
from .example import EXAMPLE_QUERIES, write_example
from .framework import load_gradio
from .look import SCRIPT
from .results import EMPTY, show

_KEPT_ANSWERS = 4
_HOUR = 3600  # seconds


def build_page(
    model: QueriedSeparator,
    folder: str | Path,
    *,
    title: str = "asteroid-bimodal",
    max_seconds: float = MAX_SECONDS,
) -> Any:
    """Builds the page.

    Args:
        model: a separator.
        folder: where tracks are written; the page must be allowed to serve it.
        title: of the page.
        max_seconds: longer files are refused.

    Returns:
        A `gradio.Blocks`.

    Raises:
        ValueError: when gradio is not installed.
    """
    gr = load_gradio()
    folder = Path(folder)
    answer = partial(_answer, model, folder=folder, max_seconds=max_seconds)
    options = {"analytics_enabled": False, "delete_cache": (_HOUR, 24 * _HOUR)}
    with gr.Blocks(title=title, fill_width=True, **options) as page:
        gr.Markdown(f"# Separating sounds by words\n{_facts(model, title)}")
        with gr.Row():
            with gr.Column(scale=4, min_width=320):
                inputs, button = _ask(gr, write_example(folder / "flute_and_cello.wav"))
            with gr.Column(scale=7, min_width=480):
                found = gr.HTML(EMPTY, js_on_load=SCRIPT, elem_id="found", label="Found")
        button.click(
            _with_errors(gr, answer), inputs, found, api_name="separate", concurrency_limit=1
        )
    return page


def _ask(gr: ModuleType, example: Path) -> tuple[list, Any]:
    """Adds what asks, and gives the components and the button."""
    # Of its buttons, "share" would send the audio away.
    sources = {"sources": ["upload", "microphone"], "type": "filepath", "buttons": ["download"]}
    audio = gr.Audio(label="Mixture: upload or record", elem_id="mixture", **sources)
    words = gr.Textbox(
        label="Queries",
        info="What to look for, one a line or between commas.",
        placeholder="violin\nacoustic guitar",
        lines=3,
        elem_id="queries",
    )
    caption = gr.Textbox(
        label="Or a caption",
        info="Each phrase of it is a query.",
        placeholder="a man talks while a dog barks",
    )
    with gr.Accordion("Or an example of the sound", open=False):
        like = gr.Audio(label="Like this", **sources)
    button = gr.Button("Separate", variant="primary", elem_id="separate")
    inputs = [audio, words, caption, like]
    gr.Examples(
        [[str(example), "\n".join(EXAMPLE_QUERIES), ""]],
        inputs[:3],
        label="Try it with",
        example_labels=["a flute and a cello, but no xylophone"],
        cache_examples=False,
    )
    return inputs, button


def _answer(
    model: QueriedSeparator,
    audio: str | None,
    words: str,
    caption: str,
    like: str | None,
    *,
    folder: Path,
    max_seconds: float,
) -> str:
    queries = read_queries(words, caption, like)
    _forget_answers(folder)
    return show(find_sounds(model, audio, queries, folder, max_seconds=max_seconds))


def _forget_answers(folder: Path) -> None:
    """Makes room for another answer beside the last few."""
    answers = folder.glob(f"{ANSWER_PREFIX}*")
    oldest_first = sorted(answers, key=lambda path: path.stat().st_mtime)
    for path in oldest_first[: 1 - _KEPT_ANSWERS]:
        shutil.rmtree(path)


def _with_errors(gr: ModuleType, function: Callable[..., str]) -> Callable[..., str]:
    """Has the page say what is wrong with a question."""

    def run(audio: str | None, words: str, caption: str, like: str | None) -> str:
        try:
            return function(audio, words, caption, like)
        except (ValueError, OSError) as error:
            message = " ".join(str(error).split())
            raise gr.Error(message, title="That did not work", print_exception=False) from error

    return run


def _facts(model: QueriedSeparator, title: str) -> str:
    return (
        f"Model `{title}`, {model.sample_rate / 1000:g} kHz, on {model.device}. Estimates and "
        "residual add up to the mixture; nothing is rescaled. Presence says how surely a sound is "
        "there, from 0 to 1."
    )
