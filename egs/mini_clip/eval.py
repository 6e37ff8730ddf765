"""Stage 1: how well the mini CLIP and the mini ResNet know instruments on new pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "local"))
sys.path.insert(1, str(Path(__file__).parents[1] / "mini_clap/local"))  # the same texts
sys.path.append(str(Path(__file__).parents[1] / "utils"))  # the miniatures

import torch
from miniatures.music import LABELS
from omegaconf import DictConfig
from pictures import Album
from torch import Tensor
from torch.nn.functional import normalize

from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.metrics import write_json
from asteroid_bimodal.queries import (
    ClipImageEncoder,
    ClipTextEncoder,
    QueryEncoder,
    ResNetFrameEncoder,
    mixture_caption,
    phrase_prompt,
)
from asteroid_bimodal.utils.conf import load_conf

HERE = Path(__file__).parent
PAIRS = list(combinations(LABELS, 2))
FIT = 20  # pictures of each instrument that the ResNet's mean features are taken of


def clip_figures(folder: Path, conf: DictConfig) -> dict[str, float]:
    """Compares pictures with texts by CLIP.

    Args:
        folder: of the CLIP.
        conf: the whole configuration.
    """
    album = Album(conf.test.singles, conf.test.pairs, conf, "clip/test")
    images = _embed(ClipImageEncoder(folder), album.images())
    text = ClipTextEncoder(folder)

    def score(pictures: Tensor, items: list, prompt: Callable) -> Tensor:
        return pictures @ _embed(text, [prompt(item) for item in items]).T

    singles, pairs = images[: album.num_singles], images[album.num_singles :]
    truth = torch.tensor([LABELS.index(some[0]) for some in album.labels[: len(singles)]])
    right = torch.tensor(
        [PAIRS.index(tuple(sorted(some))) for some in album.labels[len(singles) :]]
    )
    by_prompt = score(singles, LABELS, phrase_prompt)
    by_caption = score(pairs, PAIRS, mixture_caption)
    rank = (by_caption > by_caption.gather(1, right[:, None])).sum(1)
    both = score(pairs, LABELS, phrase_prompt).topk(2).indices.sort().values
    wanted = torch.tensor([[LABELS.index(label) for label in pair] for pair in PAIRS])[right]
    own = torch.nn.functional.one_hot(truth, len(LABELS)).bool()
    return {
        "single_top1_prompt": _share(by_prompt.argmax(1) == truth),
        "single_top1_word": _share(score(singles, LABELS, str).argmax(1) == truth),
        "pair_top1": _share(rank == 0),
        "pair_top3": _share(rank < 3),
        "pair_by_its_two_prompts": _share((both == wanted).all(1)),
        "cosine_with_own_prompt": round(by_prompt[own].mean().item(), 4),
        "cosine_with_other_prompts": round(by_prompt[~own].mean().item(), 4),
    }


def resnet_figures(folder: Path, conf: DictConfig) -> dict[str, float]:
    """Finds the instrument whose mean features are nearest.

    Args:
        folder: of the ResNet.
        conf: the whole configuration.
    """
    encoder = ResNetFrameEncoder(folder, image_size=conf.resnet.image_size)
    known, new = (
        normalize(_embed(encoder, Album(count, 0, conf, name).images()), dim=-1)
        for count, name in ((FIT, "resnet/fit"), (conf.test.singles, "resnet/test"))
    )
    means = known.view(FIT, len(LABELS), -1).mean(0)
    truth = torch.arange(len(LABELS)).repeat(conf.test.singles)
    return {"nearest_mean_top1": _share((new @ normalize(means, dim=-1).T).argmax(1) == truth)}


def _embed(encoder: QueryEncoder, queries: list) -> Tensor:
    """Pooled embeddings, (n, E)."""
    return encoder([queries]).pooled[0]


def _share(hits: Tensor) -> float:
    return round(hits.float().mean().item(), 4)


def main(options: list[str]) -> None:
    """Evaluates `EXP/clip` and `EXP/resnet`, and writes `EXP/final_metrics.json`."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--exp_dir", type=Path, default=HERE / "exp/mini_clip")
    args, rest = parser.parse_known_args(options)
    conf = load_conf([HERE / "local/conf.yml"], rest)
    figures = {
        "clip": clip_figures(args.exp_dir / "clip", conf),
        "resnet": resnet_figures(args.exp_dir / "resnet", conf),
    }
    write_json(figures, args.exp_dir / "final_metrics.json")
    for name, values in figures.items():
        for key, value in values.items():
            print(f"{name:8}{key:28}{value:>8.3f}")


if __name__ == "__main__":
    run_script(main)
