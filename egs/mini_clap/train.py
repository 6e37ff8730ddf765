"""Stage 1: trains the mini CLAP; `local/conf.yml` lists the options."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "local"))

import torch
from mixtures import ClapBatch, ContrastiveBatches, Takes
from model import build_feature_extractor, build_model, build_tokenizer
from omegaconf import DictConfig
from prompts import corpus
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import ClapFeatureExtractor, ClapModel, PreTrainedTokenizerFast

from asteroid_bimodal.scorers import ClapFeatures
from asteroid_bimodal.utils.conf import load_conf, save_conf

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


def build_optimizer(model: ClapModel, conf: DictConfig) -> tuple:
    """AdamW without decay on gains, biases and embeddings; warm-up, then a cosine to zero."""
    training = conf.training
    matrices = [p for n, p in model.named_parameters() if p.ndim > 1 and "embeddings" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim <= 1 or "embeddings" in n]
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


def train(conf: DictConfig, exp: Path) -> None:
    """Trains from scratch and writes a folder for `ClapModel.from_pretrained`.

    Args:
        conf: the whole configuration.
        exp: the experiment; the model goes to its folder `model`.
    """
    training = conf.training
    torch.manual_seed(conf.seed)
    torch.set_num_threads(training.threads)
    takes = Takes(HERE / conf.data.root / "train.csv")
    tokenizer = build_tokenizer(
        corpus(takes.labels), conf.model.vocab_size, conf.model.context_length
    )
    extractor = build_feature_extractor(conf)
    model = build_model(conf, len(tokenizer)).train()
    optimizer, schedule = build_optimizer(model, conf)
    collate = Collate(tokenizer, extractor)
    batches = ContrastiveBatches(takes, conf, conf.seed)
    loader = DataLoader(batches, batch_size=None, collate_fn=collate, num_workers=1)
    begun, total = time.time(), 0.0
    for step, batch in enumerate(loader, start=1):
        loss = loss_of(model, batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for scale in (model.logit_scale_a, model.logit_scale_t):
                scale.clamp_(max=math.log(training.max_logit_scale))
        total += loss.item()
        if step % training.log_every == 0:
            mean, scale = total / training.log_every, model.logit_scale_a.exp().item()
            seconds = time.time() - begun
            print(f"step {step}  loss {mean:.3f}  scale {scale:.1f}  {seconds:.0f} s", flush=True)
            total = 0.0
        if step % training.save_every == 0 or step == training.steps:
            for part in (model, tokenizer, extractor):
                part.save_pretrained(exp / "model")
    save_conf(conf, exp / "conf.yml")


def main(options: list[str]) -> None:
    """Reads the configuration and trains."""
    exp = Path(options[options.index("--exp_dir") + 1]) if "--exp_dir" in options else HERE / "exp"
    rest = [x for i, x in enumerate(options) if "--exp_dir" not in options[max(0, i - 1) : i + 1]]
    train(load_conf([HERE / "local/conf.yml"], rest), exp)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ValueError, OSError) as error:
        sys.exit(f"Error: {error}")
