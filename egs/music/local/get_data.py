"""Stage 0: renders the miniature, or says where the full set's audio belongs."""

import json
from pathlib import Path

from asteroid_bimodal.data.mini.frames import render_frames
from asteroid_bimodal.data.mini.music import render
from asteroid_bimodal.engine.recipe import recipe_conf, run_script

RECIPE = Path(__file__).parent.parent
ANNOTATIONS = "https://github.com/roudimit/MUSIC_dataset"


def main(options: list[str]) -> None:
    """Makes sure that `<root>/solo/audio` is there."""
    conf = recipe_conf(RECIPE, options)
    root = Path(conf.data.root)
    if conf.data.rendered:
        render(
            root,
            takes=conf.data.takes,
            seconds=tuple(conf.data.take_seconds),
            sample_rate=conf.data.sample_rate,
        )
        render_frames(root)
        return
    annotations = root / "MUSIC_solo_videos.json"
    audio = root / "solo" / "audio"
    if not annotations.is_file() or not any(audio.glob("*/*.wav")):
        raise FileNotFoundError(
            f"Expected MUSIC's audio as {audio}/<instrument>/<youtube_id>.wav and its annotations "
            f"({ANNOTATIONS}) as {annotations}. Put them there and run this stage again, or try "
            "the miniature with --data mini, which needs no download."
        )
    listed = sum(map(len, json.loads(annotations.read_text())["videos"].values()))
    print(f"{len(list(audio.glob('*/*.wav')))} of {listed} solo videos found in {audio}.")


if __name__ == "__main__":
    run_script(main)
