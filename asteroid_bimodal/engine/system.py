"""Training as an Asteroid System: queries in, estimates out, named loss terms, validation SDR."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from asteroid.engine.system import System
from asteroid.utils import flatten_dict
from torch import Tensor

from ..data.batches import Batch
from ..data.datasets import EvaluationItem
from ..losses.composite import Estimates, LossReport
from ..metrics import bss_eval


class BiModalSystem(System):
    """An Asteroid System whose batches are mixtures with words.

    Args:
        model: a `BiModalUNet`, or anything with `separate_spectra`, `to_wav` and `query_encoder`.
        optimizer: of the model's trainable parameters.
        loss_func: a `CompositeLoss`.
        train_loader: gives `Batch`.
        val_loader: gives lists of `EvaluationItem` with references.
        scheduler: as Asteroid's System takes it.
        config: saved with each checkpoint.

    Attributes:
        skipped: clips that could not be used, as (path, reason), with how often.
    """

    default_monitor = "val_sdr"

    def __init__(
        self,
        model,
        optimizer,
        loss_func,
        train_loader,
        val_loader=None,
        scheduler=None,
        config=None,
    ):
        super().__init__(model, optimizer, loss_func, train_loader, val_loader, scheduler, config)
        self.skipped: Counter[tuple[str, str]] = Counter()

    @staticmethod
    def config_to_hparams(dic: dict) -> dict:
        """Flattens a configuration for the loggers; Asteroid's own fails on lists of text."""
        plain = (bool, int, float, str)
        flat = flatten_dict(dic)
        return {key: v if isinstance(v, plain) else str(v) for key, v in flat.items()}

    def common_step(self, batch: Batch, batch_nb: int, train: bool = True) -> LossReport:
        """Separates a batch by the queries that the loss asks for, and computes the loss."""
        estimates = self.estimate(batch, self.loss_func.needs(self.global_step))
        return self.loss_func(estimates, self.global_step)

    def estimate(self, batch: Batch, needs: frozenset[str]) -> Estimates:
        """Separates a batch by captions, phrases or both, in one pass.

        Args:
            batch: B examples of N mixtures with P phrases each.
            needs: "captions", "phrases", and "waveforms" of the latter.
        """
        batch_size, num_mixtures, num_phrases = batch.phrase_weights.shape
        num_captions = num_mixtures if "captions" in needs else 0
        texts = [
            (captions if num_captions else []) + (phrases if "phrases" in needs else [])
            for captions, phrases in zip(batch.captions, batch.flat_phrases, strict=True)
        ]
        query = self.model.query_encoder(texts).to(batch.mixtures.device)
        separation = self.model.separate_spectra(batch.mixture, query)
        estimates = Estimates(
            total=separation.magnitude,
            mixtures=self.model.magnitude(batch.mixtures),
            captions=separation.estimates[:, :num_captions] if num_captions else None,
        )
        if "phrases" not in needs:
            return estimates
        phrases = separation.estimates[:, num_captions:]  # (B, N * P, F, T)
        return Estimates(
            total=estimates.total,
            mixtures=estimates.mixtures,
            captions=estimates.captions,
            phrases=phrases.unflatten(1, (num_mixtures, num_phrases)),
            phrase_wavs=self.model.to_wav(phrases, separation) if "waveforms" in needs else None,
            phrase_texts=batch.flat_phrases,
            phrase_weights=batch.phrase_weights,
        )

    def training_step(self, batch: Batch, batch_nb: int) -> Tensor:
        """Logs the loss and every term of it."""
        self.skipped.update((skipped.path, skipped.reason) for skipped in batch.skipped)
        report = self.common_step(batch, batch_nb, train=True)
        shared = {"on_epoch": True, "sync_dist": True, "batch_size": len(batch.captions)}
        self.log("loss", report.total, on_step=True, prog_bar=True, **shared)
        for name, value in report.terms.items():
            self.log(f"train_{name}", value, on_step=False, **shared)
        return report.total

    def on_before_optimizer_step(self, optimizer) -> None:
        """Logs the size of the gradient before it is clipped."""
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        self.log("grad_norm", torch.nn.utils.get_total_norm(gradients), on_step=True)

    def validation_step(self, items: Sequence[EvaluationItem], batch_nb: int) -> None:
        """Separates pinned mixtures by the phrases of their sources, and scores them."""
        for item in items:
            self.skipped.update((skipped.path, skipped.reason) for skipped in item.skipped)
        items = [item for item in items if item.mixture is not None]
        if not items:
            return
        wavs = torch.stack([item.mixture for item in items]).to(self.device)
        estimates = self.model(wavs, [item.phrases for item in items]).float().cpu()
        for item, estimate in zip(items, estimates, strict=True):
            scores = bss_eval(estimate, item.references)
            means = {name: torch.as_tensor(value).nanmean() for name, value in scores.items()}
            for name, mean in means.items():
                self.log(
                    f"val_{name}",
                    mean.float(),
                    batch_size=1,
                    prog_bar=name == "sdr",
                    sync_dist=True,
                )

    def on_validation_epoch_end(self) -> None:
        """Stops when nothing was scored: the best epoch could not be told."""
        if "val_sdr" not in self.trainer.callback_metrics:
            reasons = [reason for _, reason in self.skipped] or ["the list is empty"]
            raise ValueError(
                f"Expected validation mixtures that can be read, found none: {reasons[-1]} "
                "Run stages 0 and 1."
            )

    def transfer_batch_to_device(self, batch, device: torch.device, dataloader_idx: int):
        """Moves training batches; validation items stay on the CPU, where they are scored."""
        return batch.to(device) if isinstance(batch, Batch) else batch

    def train_dataloader(self):
        """Draws afresh in every epoch, in the same way for the same seed and epoch."""
        self.train_loader.dataset.epoch = self.current_epoch
        return self.train_loader
