"""Stage 1: trains the mini CLAP; `local/conf.yml` lists the options."""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "local"))
sys.path.append(str(Path(__file__).parents[1] / "utils"))  # the miniatures

import torch
from mixtures import ClapBatch, ContrastiveBatches, Takes
from model import build_feature_extractor, build_model, build_tokenizer
from omegaconf import DictConfig
from prompts import corpus, describe
from sets import folders, read_conf, vocabulary_of
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import ClapFeatureExtractor, ClapModel, PreTrainedTokenizerFast
from transformers.utils import logging

from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.scorers import ClapFeatures
from asteroid_bimodal.utils.conf import save_conf

HERE = Path(__file__).parent


def contrast(logits: Tensor, positive: Tensor) -> Tensor:
    """InfoNCE with any number of positives per row, which are never each other's negatives.

    Args:
        logits: (rows, columns).
        positive: (rows, columns) bool; a row without a positive is left out.
    """
    rows = positive.any(1)
    logits, positive = logits[rows], positive[rows]
    negatives = logits.masked_fill(positive, float("-inf")).logsumexp(1, keepdim=True)
    losses = nn.functional.softplus(negatives - logits)
    return ((losses * positive).sum(1) / positive.sum(1)).mean()


class Collate:
    """Turns texts into tokens and audio into features, in the process that loads the data."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, extractor: ClapFeatureExtractor) -> None:
        self.tokenizer, self.features = tokenizer, ClapFeatures(extractor)

    def __call__(self, batch: ClapBatch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns features, token ids, their mask, and which clip belongs to which text."""
        tokens = self.tokenizer(batch.texts, padding=True, truncation=True, return_tensors="pt")
        audio = self.features(batch.wavs)
        return audio, tokens["input_ids"], tokens["attention_mask"], batch.positive


def loss_of(model: ClapModel, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    """Symmetric contrastive loss of a batch.

    Args:
        model: the CLAP.
        batch: features, token ids, their mask, and which clip belongs to which text.
    """
    audio, tokens, mask, positive = batch
    audio_emb = model.get_audio_features(audio).pooler_output
    text_emb = model.get_text_features(tokens, mask).pooler_output
    cosine = audio_emb @ text_emb.T  # (clips, texts)
    to_text = contrast(model.logit_scale_a.exp() * cosine, positive)
    to_audio = contrast(model.logit_scale_t.exp() * cosine.T, positive.T)
    return (to_text + to_audio) / 2


def warm_up_text(
    model: ClapModel, tokenizer: PreTrainedTokenizerFast, labels: Sequence[str], conf: DictConfig
) -> None:
    """Teaches the text tower which texts say the same, before it has to teach the audio tower.

    Args:
        model: the CLAP; its text side is trained.
        tokenizer: its tokenizer.
        labels: all instruments or events.
        conf: the whole configuration.
    """
    rng, vocabulary = random.Random(conf.seed), vocabulary_of(conf)
    text_side = [*model.text_model.parameters(), *model.text_projection.parameters()]
    optimizer = torch.optim.AdamW(text_side, lr=1e-3)
    for _ in range(conf.training.text_steps):
        pairs = rng.sample(list(combinations(labels, 2)), 30)
        trios = rng.sample(list(combinations(labels, 3)), 10)
        sets = [*((label,) for label in labels), *pairs, *trios]
        texts = [describe(chosen, rng, vocabulary) for chosen in sets + sets]
        tokens = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        embeddings = model.get_text_features(**tokens).pooler_output
        first, second = embeddings.chunk(2)
        same = torch.eye(len(sets), dtype=torch.bool)
        loss = contrast(model.config.logit_scale_init_value * first @ second.T, same)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"text side warm: loss {loss.item():.3f}", flush=True)


def begin(
    conf: DictConfig, labels: Sequence[str]
) -> tuple[ClapModel, PreTrainedTokenizerFast, ClapFeatureExtractor]:
    """Builds a CLAP whose text side knows which texts say the same, or loads one.

    Args:
        conf: the whole configuration.
        labels: all instruments or events.

    Returns:
        Network, tokenizer and feature extractor; the text side of a loaded network is frozen, so
        that separators trained with it still understand each other.
    """
    folder = conf.training.init
    if folder:
        model = ClapModel.from_pretrained(folder).train()
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        extractor = ClapFeatureExtractor.from_pretrained(folder)
    else:
        texts = corpus(labels, vocabulary_of(conf))
        tokenizer = build_tokenizer(texts, conf.model.vocab_size, conf.model.context_length)
        model, extractor = build_model(conf, len(tokenizer)).train(), build_feature_extractor(conf)
        model.config.known_labels = list(labels)  # what audio examples are likened to
        warm_up_text(model, tokenizer, labels, conf)
    if folder or conf.training.keep_text:
        model.text_model.eval().requires_grad_(False)
        model.text_projection.requires_grad_(False)
    return model, tokenizer, extractor


def build_optimizer(model: ClapModel, conf: DictConfig) -> tuple:
    """AdamW without decay on gains, biases and embeddings; warm-up, then a cosine to zero."""
    training = conf.training
    trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    matrices = [p for n, p in trained if p.ndim > 1 and "embeddings" not in n]
    others = [p for n, p in trained if p.ndim <= 1 or "embeddings" in n]
    optimizer = torch.optim.AdamW(
        [{"params": matrices}, {"params": others, "weight_decay": 0.0}],
        lr=training.lr,
        weight_decay=training.weight_decay,
    )

    def factor(step: int) -> float:
        rest = (step - training.warmup) / max(1, training.steps - training.warmup)
        warm = min(1.0, (step + 1) / training.warmup)
        return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, rest))))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def update(
    model: ClapModel,
    batch: tuple[Tensor, Tensor, Tensor, Tensor],
    optimizer: torch.optim.Optimizer,
    max_logit_scale: float,
) -> float:
    """Takes one optimisation step and returns the loss.

    Args:
        model: the CLAP.
        batch: see `loss_of`.
        optimizer: of all its parameters.
        max_logit_scale: CLAP's bound on the sharpness.
    """
    loss = loss_of(model, batch)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    with torch.no_grad():
        for scale in (model.logit_scale_a, model.logit_scale_t):
            scale.clamp_(max=math.log(max_logit_scale))
    return loss.item()


def save(exp: Path, *parts: Any) -> None:
    """Writes a model and what belongs to it into an experiment's folder `model`."""
    for part in parts:
        part.save_pretrained(exp / "model")


def train(conf: DictConfig, exp: Path) -> None:
    """Trains, from scratch unless `training.init` says from where, and writes a folder for
    `ClapModel.from_pretrained`.

    Args:
        conf: the whole configuration.
        exp: the experiment; the model goes to its folder `model`.
    """
    training, begun = conf.training, time.time()
    torch.manual_seed(conf.seed)
    torch.set_num_threads(training.threads)
    takes = Takes(*(folder / "train.csv" for folder in folders(conf, "scorer").values()))
    model, tokenizer, extractor = begin(conf, takes.labels)
    optimizer, schedule = build_optimizer(model, conf)
    batches = ContrastiveBatches(takes, conf, conf.seed)
    collate = Collate(tokenizer, extractor)
    save(exp, model, tokenizer, extractor)  # the text side can be read from now on
    losses = []
    loader = DataLoader(batches, batch_size=None, collate_fn=collate, num_workers=1)
    for step, batch in enumerate(loader, start=1):
        losses.append(update(model, batch, optimizer, training.max_logit_scale))
        schedule.step()
        if step % training.log_every == 0:
            mean, scale = sum(losses) / len(losses), model.logit_scale_a.exp().item()
            seconds = time.time() - begun
            print(f"step {step}  loss {mean:.3f}  scale {scale:.1f}  {seconds:.0f} s", flush=True)
            losses.clear()
        if step % training.save_every == 0 or step == training.steps:
            save(exp, model, tokenizer, extractor)
    save_conf(conf, exp / "conf.yml")


def main(options: list[str]) -> None:
    """Reads the configuration and trains."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--exp_dir", type=Path, default=HERE / "exp/mini_clap")
    args, rest = parser.parse_known_args(options)
    train(read_conf(rest), args.exp_dir)


if __name__ == "__main__":
    logging.disable_progress_bar()
    run_script(main)
