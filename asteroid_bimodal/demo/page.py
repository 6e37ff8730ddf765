"""The page: queries on the left, results on the right."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from ..models import QueriedSeparator
from ..queries import UnknownSoundWarning
from ..utils.example import EXAMPLE_QUERIES, write_example
from ..utils.markdown import code
from .gradio_setup import SCRIPT, load_gradio
from .result_html import EMPTY, render_result
from .separation import MAX_SECONDS, RESULT_PREFIX, parse_queries, separate_recording

_KEPT_RESULTS = 4
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
    separate = partial(_separate, model, folder=folder, max_seconds=max_seconds)
    options = {"analytics_enabled": False, "delete_cache": (_HOUR, 24 * _HOUR)}
    with _blocks(gr)(title=title, fill_width=True, **options) as page:
        gr.Markdown(f"# Separating sounds by words\n{_facts(model, title)}")
        with gr.Row():
            with gr.Column(scale=4, min_width=320):
                inputs, button = _add_inputs(gr, write_example(folder / "flute_and_cello.wav"))
            with gr.Column(scale=7, min_width=480):
                found = gr.HTML(EMPTY, js_on_load=SCRIPT, elem_id="found", label="Found")
        button.click(
            _with_errors(gr, separate), inputs, found, api_name="separate", concurrency_limit=1
        )
    return page


def _blocks(gr: ModuleType) -> Any:
    """Gradio's page, which prints no traceback when somebody names a file of this machine."""

    class Page(gr.Blocks):
        async def preprocess_data(self, *args: Any, **kwargs: Any) -> Any:
            try:
                return await super().preprocess_data(*args, **kwargs)
            except ValueError as error:
                raise gr.Error(
                    "The page takes files that were uploaded to it alone.", print_exception=False
                ) from error

    return Page


def _add_inputs(gr: ModuleType, example: Path) -> tuple[list, Any]:
    """Adds the input components and the button."""
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


def _separate(
    model: QueriedSeparator,
    audio: str | None,
    words: str,
    caption: str,
    like: str | None,
    *,
    folder: Path,
    max_seconds: float,
) -> str:
    queries = parse_queries(words, caption, like)
    _remove_old_results(folder)
    return render_result(separate_recording(model, audio, queries, folder, max_seconds=max_seconds))


def _remove_old_results(folder: Path) -> None:
    """Makes room for another result beside the last few."""
    results = folder.glob(f"{RESULT_PREFIX}*")
    oldest_first = sorted(results, key=lambda path: path.stat().st_mtime)
    for path in oldest_first[: 1 - _KEPT_RESULTS]:
        shutil.rmtree(path)


def _with_errors(gr: ModuleType, function: Callable[..., str]) -> Callable[..., str]:
    """Shows errors and warnings on the page."""

    def run(audio: str | None, words: str, caption: str, like: str | None) -> str:
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always", UserWarning)
                answer = function(audio, words, caption, like)
        except (ValueError, OSError) as error:
            message = " ".join(str(error).split())
            raise gr.Error(message, title="That did not work", print_exception=False) from error
        shown = (UserWarning, UnknownSoundWarning)
        for message in dict.fromkeys(str(w.message) for w in told if w.category in shown):
            gr.Warning(message)
        return answer

    return run


def _facts(model: QueriedSeparator, title: str) -> str:
    return (
        f"Model `{code(title)}`, {model.sample_rate / 1000:g} kHz, on {model.device}. Estimates "
        "and residual add up to the mixture; nothing is rescaled. The presence score, from 0 to 1, "
        "says how likely it is that a sound is there."
    )
