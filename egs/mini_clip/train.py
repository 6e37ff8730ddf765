"""Stage 0: trains the mini CLIP and the mini ResNet; `local/conf.yml` lists the options."""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "local"))
sys.path.insert(1, str(Path(__file__).parents[1] / "mini_clap/local"))  # the same texts
sys.path.append(str(Path(__file__).parents[1] / "utils"))  # the miniatures

import torch
from miniatures.music import LABELS
from networks import build_clip, build_resnet, build_tokenizer
from omegaconf import DictConfig
from pictures import KINDS_OF_PICTURE, Album, PictureBatch, phrasings
from prompts import corpus
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize
from transformers import CLIPModel, PreTrainedTokenizerFast
from transformers.image_utils import (
    IMAGENET_DEFAULT_MEAN,
    IMAGENET_DEFAULT_STD,
    OPENAI_CLIP_MEAN,
    OPENAI_CLIP_STD,
)
from transformers.utils import logging

from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.losses import bimodal_contrastive
from asteroid_bimodal.utils.conf import load_conf, save_conf

HERE = Path(__file__).parent
MAX_LOG_SCALE = math.log(100)  # CLIP's bound on the sharpness


class TextLoss(nn.Module):
    """Contrastive loss of texts that say the same in two ways.

    Args:
        clip: the network, of which the text side is trained.
        tokenizer: its tokenizer.
    """

    def __init__(self, clip: CLIPModel, tokenizer: PreTrainedTokenizerFast) -> None:
        super().__init__()
        self.clip, self.tokenizer = clip, tokenizer

    def embed(self, texts: list[str]) -> Tensor:
        """Embeds M texts as (M, E)."""
        tokens = self.tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        return normalize(self.clip.get_text_features(**tokens).pooler_output, dim=-1)

    def forward(self, batch: tuple[list[str], list[str]]) -> Tensor:
        """Scalar loss of distinct texts and others that mean the same."""
        first, second = map(self.embed, batch)
        same = torch.eye(len(first), dtype=torch.bool)
        return bimodal_contrastive(first, second, 20.0, same, symmetric=True)


class ClipLoss(TextLoss):
    """Symmetric contrastive loss of pictures and texts.

    All pictures and texts of the same instruments are positives of each other.
    """

    def forward(self, batch: PictureBatch) -> Tensor:
        """Scalar loss."""
        images = normalize(self.clip.get_image_features(batch.pixels).pooler_output, dim=-1)
        scale = self.clip.logit_scale.clamp(max=MAX_LOG_SCALE).exp()
        texts = self.embed(batch.texts)
        return bimodal_contrastive(images, texts, scale, batch.same, symmetric=True)


class ClassLoss(nn.Module):
    """Cross-entropy of a linear classifier on the greatest value of each of a ResNet's maps.

    Args:
        resnet: the network.
    """

    def __init__(self, resnet: nn.Module) -> None:
        super().__init__()
        self.resnet = resnet
        self.last = nn.Linear(resnet.config.hidden_sizes[-1], len(LABELS))

    def forward(self, batch: PictureBatch) -> Tensor:
        """Scalar loss."""
        maps = self.resnet(batch.pixels).last_hidden_state  # (M, C, H, W)
        truth = torch.tensor([LABELS.index(label) for (label,) in batch.labels])
        return cross_entropy(self.last(maps.amax((2, 3))), truth)


def optimise(loss: nn.Module, batches: Iterator[Any], steps: int, conf: DictConfig) -> None:
    """Trains all weights of a loss: AdamW, a warm-up, then a cosine to zero.

    Args:
        loss: called with each batch.
        batches: more than enough of them.
        steps: how many to use.
        conf: the whole configuration.
    """
    training, begun, recent = conf.training, time.process_time(), []
    matrices = [p for p in loss.parameters() if p.ndim > 1]
    others = [p for p in loss.parameters() if p.ndim <= 1]
    groups = [{"params": matrices}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=training.lr, weight_decay=training.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _factor(steps, training.warmup))
    loss.train()
    for step, batch in enumerate(islice(batches, steps), start=1):
        value = loss(batch)
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(loss.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        recent.append(value.item())
        if step % training.log_every == 0:
            mean, seconds = sum(recent) / len(recent), time.process_time() - begun
            print(f"step {step}  loss {mean:.3f}  {seconds:.0f} s of CPU", flush=True)
            recent.clear()
    loss.eval()


def _factor(steps: int, warmup: int) -> Callable[[int], float]:
    def factor(step: int) -> float:
        rest = (step - warmup) / max(1, steps - warmup)
        return min(1.0, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * min(1, max(0, rest))))

    return factor


def train_clip(album: Album, conf: DictConfig, folder: Path) -> None:
    """Trains a CLIP, its text side first, and writes it with its tokenizer.

    Args:
        album: the pictures.
        conf: the whole configuration.
        folder: where to write.
    """
    texts = (kind + text for text in corpus(LABELS) for kind in ("", *KINDS_OF_PICTURE))
    tokenizer = build_tokenizer(texts, conf)
    clip, rng = build_clip(conf, tokenizer), random.Random(conf.seed)
    print("CLIP's text side")
    optimise(TextLoss(clip, tokenizer), phrasings(rng), conf.training.text_steps, conf)
    print("CLIP")
    looks = (conf.image_size, OPENAI_CLIP_MEAN, OPENAI_CLIP_STD)
    batches = album.batches(conf.batch.singles, conf.batch.pairs, looks, rng)
    optimise(ClipLoss(clip, tokenizer), batches, conf.training.clip_steps, conf)
    for part in (clip, tokenizer):
        part.save_pretrained(folder)


def train_resnet(album: Album, conf: DictConfig, folder: Path) -> None:
    """Trains a ResNet to tell instruments apart, and writes it without its last layer.

    Args:
        album: the pictures.
        conf: the whole configuration.
        folder: where to write.
    """
    print("ResNet")
    resnet, rng = build_resnet(conf), random.Random(conf.seed)
    # `ResNetFrameEncoder` looks at the middle alone, as is usual with ImageNet.
    looks = (conf.resnet.image_size, IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)
    batches = album.batches(conf.batch.singles, 0, looks, rng)
    optimise(ClassLoss(resnet), batches, conf.training.resnet_steps, conf)
    resnet.save_pretrained(folder)


def main(options: list[str]) -> None:
    """Trains both networks into `EXP/resnet` and `EXP/clip`."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--exp_dir", type=Path, default=HERE / "exp/mini_clip")
    args, rest = parser.parse_known_args(options)
    conf = load_conf([HERE / "local/conf.yml"], rest)
    torch.set_num_threads(conf.training.threads)
    torch.manual_seed(conf.seed)
    begun = time.process_time()
    album = Album(conf.album.singles, conf.album.pairs, conf, "clip/train")
    print(f"{len(album.labels)} pictures drawn in {time.process_time() - begun:.0f} s of CPU")
    train_resnet(album, conf, args.exp_dir / "resnet")
    train_clip(album, conf, args.exp_dir / "clip")
    save_conf(conf, args.exp_dir / "conf.yml")


if __name__ == "__main__":
    logging.disable_progress_bar()
    run_script(main)
