"""Whether text encoders put captions of two sounds between the phrases of each.

Mix-and-separate learns from captions of several sounds and is asked with phrases of one: the nearer
a caption is to the mean of its phrases, the shorter is the way from one to the other.

    python benchmarks/compositions.py data/mini/train.csv \
        --encoders clap:mini bert:minilm clap:small

Printed of each encoder: the cosine of captions with the means of their phrases, both relative to
their own mean over all pairs (median and range), and how alike the phrases are among each other.
"""

from __future__ import annotations

import argparse
from itertools import permutations
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from asteroid_bimodal.data.manifest import read_manifest
from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.queries.base import load_query_encoder
from asteroid_bimodal.queries.captions import mixture_caption, phrase_prompt


def main(options: list[str]) -> None:
    """Prints a line for each encoder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path, help="train.csv of a data set")
    parser.add_argument("--encoders", nargs="+", default=["clap:mini", "bert:minilm"])
    args = parser.parse_args(options)
    labels = sorted({clip.label for clip in read_manifest(args.manifest)})
    for name in args.encoders:
        cosines, alike = compare(name, labels)
        print(
            f"{name}: captions and means of phrases {cosines.median():.2f} "
            f"({cosines.min():.2f} to {cosines.max():.2f}), {len(cosines)} pairs; "
            f"phrases among each other {alike.median():.2f}"
        )


@torch.inference_mode()
def compare(name: str, labels: list[str]) -> tuple[Tensor, Tensor]:
    """Cosines of captions with their phrases' means, and of phrases with the other phrases."""
    encoder = load_query_encoder(name)
    pairs = list(permutations(range(len(labels)), 2))
    phrases = encoder([[phrase_prompt(label) for label in labels]]).pooled[0]  # (L, E)
    captions = encoder([[mixture_caption([labels[k] for k in pair]) for pair in pairs]]).pooled[0]
    means = phrases[torch.tensor(pairs)].mean(1)
    cosines = cosine_similarity(captions - captions.mean(0), means - means.mean(0))
    first, second = torch.tensor(pairs).T
    return cosines, cosine_similarity(phrases[first], phrases[second])


if __name__ == "__main__":
    run_script(main)
