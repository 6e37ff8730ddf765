"""The page: queries on the left, results on the right; below each other on a phone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from markupsafe import Markup

from ..models import QueriedSeparator
from ..utils.example import EXAMPLE_QUERIES, write_example
from ..utils.inputs import AUDIO_SUFFIXES
from .answers import Answers
from .gradio_setup import SCRIPT, load_gradio
from .result_html import EMPTY, render_model, render_problems
from .separation import MAX_SECONDS

_HOUR = 3600  # seconds
_JOBS = 8  # at a time, in turn
_RECORDER = {"sources": ["microphone"], "buttons": []}  # "share" would send the audio away
# To where it is told how far it is, and then to what has come of it.
_SCROLL = """(...inputs) => {
  setTimeout(() => {
    const problem = document.querySelector(".abm-problem");
    (problem ?? document.getElementById("found"))
      .scrollIntoView({behavior: "smooth", block: problem ? "center" : "start"});
  }, 100);
  return inputs;
}"""


def build_page(
    models: Mapping[str, QueriedSeparator],
    folder: str | Path,
    *,
    title: str = "asteroid-bimodal",
    max_seconds: float = MAX_SECONDS,
) -> Any:
    """Builds the page.

    Args:
        models: separators to choose from, by name; the first one is chosen at first.
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
    answers = Answers(models, folder, max_seconds)
    options = {"analytics_enabled": False, "delete_cache": (_HOUR, 24 * _HOUR)}
    with _blocks(gr)(title=title, fill_width=True, **options) as page:
        gr.Markdown("# Separating sounds by words\nEstimates and residual add up to the mixture.")
        with gr.Row():
            with gr.Column(scale=4, min_width=320):
                example = write_example(folder / "flute_and_xylophone.wav")
                inputs, problems, ask = _add_inputs(gr, models, example)
            with gr.Column(scale=7, min_width=320, elem_id="answer"):
                found = gr.HTML(EMPTY, js_on_load=SCRIPT, elem_id="found", label="Found")
        outputs = [found, *problems]
        run = gr.on(
            ask,
            _with_progress(gr, answers),
            inputs,
            outputs,
            api_name="separate",
            concurrency_limit=_JOBS,
            js=_SCROLL,
            show_progress_on=found,
        )
        run.then(None, js=_SCROLL)
        # An answer is never seen beside another recording.
        inputs[0].change(
            lambda: (EMPTY, "", ""),
            None,
            outputs,
            queue=False,
            show_progress="hidden",
            cancels=run,
            api_visibility="private",
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


def _add_inputs(
    gr: ModuleType, models: Mapping[str, QueriedSeparator], example: Path
) -> tuple[list, list, list]:
    """Adds the input components; returns them, their problems, and the events that ask."""
    sound_or_video = {"type": "filepath", "file_types": ["audio", "video", *AUDIO_SUFFIXES]}
    sound_or_video["height"] = 140
    audio = gr.File(label="Mixture: a recording or a video", elem_id="mixture", **sound_or_video)
    with gr.Accordion("Or record", open=False):
        recorded = gr.Audio(label="Record", type="filepath", elem_id="record", **_RECORDER)
    recorded.stop_recording(
        lambda path: (path, None), recorded, [audio, recorded], api_visibility="private"
    )
    of_audio = gr.HTML("", elem_id="of-audio")
    names = list(models)
    model = gr.Radio(names, value=names[0], label="Model", elem_id="model")
    knows = gr.HTML(render_model(models[names[0]]), elem_id="knows")
    model.change(
        partial(_describe, models),
        model,
        knows,
        show_progress="hidden",
        api_visibility="private",
    )
    # One line: Enter asks, and Shift-Enter begins another line.
    line = {"lines": 1, "max_lines": 8}
    words = gr.Textbox(
        label="Queries",
        info="What to look for, between commas.",
        placeholder=", ".join(EXAMPLE_QUERIES[:2]),
        elem_id="queries",
        **line,
    )
    without = gr.Textbox(
        label="Without",
        info="What no estimate is to hold; without queries, the estimate is all else.",
        elem_id="without",
        **line,
    )
    of_queries = gr.HTML("", elem_id="of-queries")
    with gr.Accordion("Or a caption, or an example of the sound", open=False):
        caption = gr.Textbox(label="Caption", info="Each phrase of it is a query.", **line)
        like = gr.File(label="Like this", **sound_or_video)
    button = gr.Button("Separate", variant="primary", elem_id="separate")
    gr.Examples(
        [[str(example), ", ".join(EXAMPLE_QUERIES)]],
        [audio, words],
        label="Try it with",
        example_labels=["a flute and a xylophone, but no trumpet"],
        cache_examples=False,
    )
    ask = [button.click, words.submit, without.submit, caption.submit]
    return [audio, words, caption, like, without, model], [of_audio, of_queries], ask


def _describe(models: Mapping[str, QueriedSeparator], name: str) -> Iterator[Markup]:
    """What a model knows; it may have to be loaded first."""
    yield Markup("<p>Loading {} …</p>").format(name)
    try:
        yield render_model(models[name])
    except (ValueError, OSError) as error:
        yield render_problems([error])


def _with_progress(gr: ModuleType, answers: Answers) -> Any:
    """Shows the share of the windows that are done."""

    def separate(
        audio: str | None,
        words: str,
        caption: str,
        like: str | None,
        without: str,
        model: str,
        progress: Any = gr.Progress(),  # noqa: B008 - how gradio asks to be asked
    ) -> tuple[str, str, str]:
        def tell(done: int, total: int) -> None:
            progress(min(1, done / total), "Separating")

        progress(0, "Waiting for a turn")
        return answers.answer(audio, words, caption, like, without, model, tell)

    return separate
