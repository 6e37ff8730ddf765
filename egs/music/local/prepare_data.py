"""Stage 1: manifests of the solo videos, and pinned lists of validation and test mixtures."""

import json
import random
from pathlib import Path

from omegaconf import DictConfig

from asteroid_bimodal.data.audio import UnreadableAudioError, audio_seconds
from asteroid_bimodal.data.manifest import Clip, read_manifest, write_manifest
from asteroid_bimodal.data.pinned import draw_test_list, write_test_list
from asteroid_bimodal.engine.recipe import recipe_conf, run_script
from asteroid_bimodal.utils.files import safe_name

RECIPE = Path(__file__).parent.parent
SPLITS = {"test": 0.15, "valid": 0.10}  # shares of each instrument's videos; the rest trains


def main(options: list[str]) -> None:
    """Writes `<root>/{train,valid,test}.csv` where missing, and `<root>/lists/`."""
    conf = recipe_conf(RECIPE, options)
    root = Path(conf.data.root)
    if not (root / "train.csv").is_file():
        _write_manifests(root, conf.seed)
    for split, counts in (("valid", [2]), ("test", conf.data.test_n_src)):
        for n_src in counts:
            if not list((root / "lists").glob(f"{split}_{n_src}src_*.csv")):
                print(_draw(conf, root, split, n_src))


def _draw(conf: DictConfig, root: Path, split: str, n_src: int) -> Path:
    mixtures = draw_test_list(
        read_manifest(root / f"{split}.csv"),
        root,
        num_items=conf.data.valid_items if split == "valid" else conf.data.test_items,
        num_sources=n_src,
        sample_rate=conf.data.sample_rate,
        num_samples=conf.data.eval_samples,
        seed=0,
    )
    return write_test_list(root / "lists", f"{split}_{n_src}src_seed0", mixtures)


def _write_manifests(root: Path, seed: int) -> None:
    """Splits each instrument's videos at random, so that no video is in two splits."""
    annotations = root / "MUSIC_solo_videos.json"
    if not annotations.is_file():
        raise FileNotFoundError(f"Expected the annotations at {annotations}. Run stage 0 first.")
    videos = json.loads(annotations.read_text())["videos"]
    clips: dict[str, list[Clip]] = {"train": [], "valid": [], "test": []}
    missing = []
    for label, ids in videos.items():
        label = label.replace("_", " ")
        ids = sorted(set(ids))
        random.Random(f"{seed}/{label}").shuffle(ids)
        bounds = {"test": round(SPLITS["test"] * len(ids))}
        bounds["valid"] = bounds["test"] + round(SPLITS["valid"] * len(ids))
        for position, video in enumerate(ids):
            split = next((s for s in ("test", "valid") if position < bounds[s]), "train")
            path = f"solo/audio/{safe_name(label)}/{video}.wav"
            try:
                seconds = round(audio_seconds(root / path), 2)
            except UnreadableAudioError as error:
                missing.append(str(error))
                continue
            clips[split].append(Clip(path, label, "", seconds, split))
    for split, rows in clips.items():
        write_manifest(root / f"{split}.csv", rows)
    print(f"{sum(map(len, clips.values()))} videos; {len(missing)} missing or unreadable.")


if __name__ == "__main__":
    run_script(main)
