"""Stage 2: how well the mini CLAP hears sources, pairs of them, and intruders, in new takes."""

from __future__ import annotations

import argparse
import random
import sys
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "local"))
sys.path.append(str(Path(__file__).parents[1] / "utils"))  # the miniatures

import torch
from mixtures import MINI_SECONDS, Takes
from sets import SHIPPED, folders, read_conf
from torch import Tensor
from torch.nn.functional import normalize

from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.metrics import write_json
from asteroid_bimodal.queries.captions import mixture_caption, phrase_prompt
from asteroid_bimodal.scorers import ClapScorer

HERE = Path(__file__).parent
CLIPS = 24  # of each instrument
MIXTURES = 12  # of each pair
MOST_PAIRS = 110  # that are listened to; with more, some are drawn
LEAKS = (-10, -5, 0, 5, 10, 15, 20, 30)  # dB by which an intruder is weaker than the source


class Listener:
    """Embeds excerpts of one length.

    Args:
        scorer: the CLAP.
        takes: the recordings.
        length: of an excerpt, in samples.
        seed: the source of all choices.
    """

    def __init__(self, scorer: ClapScorer, takes: Takes, length: int, seed: int = 0) -> None:
        self.scorer, self.takes, self.length = scorer, takes, length
        self.rng = random.Random(seed)

    def draw(self, label: str, count: int) -> Tensor:
        """Draws (count, T) excerpts of an instrument."""
        return torch.stack([self.takes.crop(label, self.length, self.rng) for _ in range(count)])

    def hear(self, wavs: Tensor) -> Tensor:
        """Embeds (M, T) excerpts as (M, E)."""
        return self.scorer.embed_audio(wavs, self.scorer.sample_rate)


def accuracy(listener: Listener) -> dict[str, float]:
    """Top-1 among all sources alone, for two prompts; chance is one over their number."""
    scorer, labels = listener.scorer, listener.takes.labels
    audio = torch.cat([listener.hear(listener.draw(label, CLIPS)) for label in labels])
    truth = torch.arange(len(labels)).repeat_interleave(CLIPS)
    prompts = {"prompt": phrase_prompt, "word": str}
    return {
        f"single_top1_{name}": _share((audio @ _texts(scorer, labels, make).T).argmax(1) == truth)
        for name, make in prompts.items()
    }


def pairs(listener: Listener) -> dict[str, float]:
    """Rank of the right pair among all pairs on mixtures of two; chance is 1 over their number."""
    scorer, labels = listener.scorer, listener.takes.labels
    all_pairs = list(combinations(labels, 2))
    texts = _texts(scorer, all_pairs, mixture_caption)
    ranks = []
    for pair in _some(all_pairs, listener.rng):
        index = all_pairs.index(pair)
        gains = 10 ** (torch.tensor([[listener.rng.uniform(-3, 3)] for _ in range(MIXTURES)]) / 20)
        wavs = listener.draw(pair[0], MIXTURES) + gains * listener.draw(pair[1], MIXTURES)
        scores = listener.hear(wavs) @ texts.T
        ranks.append((scores > scores[:, index : index + 1]).sum(1))
    rank = torch.cat(ranks)
    return {"pair_top1": _share(rank == 0), "pair_top3": _share(rank < 3)}


def intruders(listener: Listener) -> dict[str, float]:
    """What happens to the score of a source when a weaker or stronger one joins it."""
    scorer, labels = listener.scorer, listener.takes.labels
    alone, mixed = [], []
    for label, other in _some([(x, y) for x in labels for y in labels if x != y], listener.rng):
        text = scorer.embed_text([phrase_prompt(label)])[0]
        wav, intruder = listener.draw(label, 4), listener.draw(other, 4)
        levels = [wav] + [wav + 10 ** (-leak / 20) * intruder for leak in LEAKS]
        scores = (listener.hear(torch.cat(levels)) @ text).view(len(levels), -1)
        alone.append(scores[0])
        mixed.append(scores[1:])
    alone, mixed = torch.cat(alone), torch.cat(mixed, dim=1)  # (n), (leaks, n)
    curve = {f"score_at_{leak}_db": _mean(row) for leak, row in zip(LEAKS, mixed, strict=True)}
    falls = {
        f"falls_at_{leak}_db": _share(alone > mixed[LEAKS.index(leak)]) for leak in (0, 10, 20)
    }
    return {**falls, "score_alone": _mean(alone), **curve}


def _some(pairs: list, rng: random.Random) -> list:
    return pairs if len(pairs) <= MOST_PAIRS else rng.sample(pairs, MOST_PAIRS)


def _texts(scorer: ClapScorer, items: list, make) -> Tensor:
    return normalize(scorer.embed_text([make(item) for item in items]), dim=-1)


def _share(hits: Tensor) -> float:
    return _mean(hits.float())


def _mean(values: Tensor) -> float:
    return round(values.mean().item(), 4)


@torch.no_grad()
def evaluate(model: Path, manifests: dict[str, list[Path]]) -> dict[str, dict[str, float]]:
    """Evaluates a model on the test takes of several sets, at two lengths.

    Args:
        model: folder of the CLAP.
        manifests: test manifests of each namespace.
    """
    scorer = ClapScorer(model)
    figures = {"model": {"logit_scale": round(scorer.logit_scale, 2)}}
    for name, paths in manifests.items():
        takes = Takes(*paths)
        for length in (4 * scorer.sample_rate, round(MINI_SECONDS * scorer.sample_rate)):
            listener = Listener(scorer, takes, length)
            row = {**accuracy(listener), **pairs(listener), **intruders(listener)}
            figures[f"{name}, {length / scorer.sample_rate:.2f} s"] = row
    return figures


def main(options: list[str]) -> None:
    """Evaluates `EXP/model` and writes `EXP/final_metrics.json`."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--exp_dir", type=Path, default=HERE / "exp/mini_clap")
    args, rest = parser.parse_known_args(options)
    conf = read_conf(rest)
    if SHIPPED in conf.data.sets:  # recordings that are kept apart
        manifests = {"recordings": [folders(conf, "scorer")[SHIPPED] / "valid.csv"]}
    else:
        manifests = {
            name: [folder / "test.csv" for folder in folders(conf, name).values()]
            for name in ("scorer", "separator")
        }
    figures = evaluate(args.exp_dir / "model", manifests)
    write_json(figures, args.exp_dir / "final_metrics.json")
    columns = list(figures)[1:]
    print(f"{'':24}" + "".join(f"{name:>22}" for name in columns))
    for key in figures[columns[0]]:
        print(f"{key:24}" + "".join(f"{figures[name][key]:>22.3f}" for name in columns))


if __name__ == "__main__":
    run_script(main)
