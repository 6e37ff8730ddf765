"""Stages 0 to 2 of the data sets' recipes: python prepare.py STAGE RECIPE [options].

    get_data      renders the miniature, or downloads the full set and says what is missing of it
    draw_lists    draws the pinned lists of validation and test mixtures
    embed_texts   embeds every phrase and caption that training can ask for, once per encoder

RECIPE is the folder of a data set's recipe, such as egs/music. Each does only what is missing.
"""

from importlib import import_module
from pathlib import Path

from asteroid_bimodal.engine.prepare import download_set, draw_lists, embed_texts
from asteroid_bimodal.engine.recipe import recipe_conf
from asteroid_bimodal.engine.schema import Config
from asteroid_bimodal.engine.script import run_script


def get_data(conf: Config, name: str) -> None:
    """Renders a miniature, or downloads a full set.

    Args:
        conf: the whole configuration.
        name: of the recipe: music, vggsound or audiocaps.
    """
    data = conf.data
    if not data.rendered:
        download_set(conf, name)
        return
    import_module(f"miniatures.{name}").render(
        data.root,
        takes=dict(data.takes),
        seconds=tuple(data.take_seconds),
        sample_rate=data.sample_rate,
    )
    if name == "music":
        import_module("miniatures.frames").render_frames(data.root)


def main(options: list[str]) -> None:
    """Runs one stage."""
    stages = {
        "get_data": get_data,
        "draw_lists": lambda conf, name: draw_lists(conf),
        "embed_texts": lambda conf, name: embed_texts(conf),
    }
    if len(options) < 2 or options[0] not in stages:
        raise ValueError(f"Call it as prepare.py {{{','.join(stages)}}} RECIPE [options].")
    stage, recipe, *rest = options
    recipe = Path(recipe).resolve()
    stages[stage](recipe_conf(recipe, rest), recipe.name)


if __name__ == "__main__":
    run_script(main)
