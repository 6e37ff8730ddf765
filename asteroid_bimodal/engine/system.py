"""Training as an Asteroid System: queries in, estimates out, named loss terms, validation SDR."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import torch
from asteroid.engine.system import System
from asteroid.utils import flatten_dict
from torch import Tensor, distributed

from ..data.batches import Batch, SemiSupervisedBatch
from ..data.datasets import EvaluationItem
from ..data.loader import OwnItems
from ..losses.checks import NotFiniteError
from ..losses.composite import CompositeLoss, LossReport, SeparatorOutputs
from ..metrics import bss_evals
from ..queries import QueryEncoder, concat_queries
from .bad_steps import StepGuard, nan_loss
from .evaluate import SeparatedItem, separate_items
from .remixing import remix


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
        clean_loss: of the single sources in semi-supervised training.
        remix_loss: of remixed estimates, which take the batches' place from `remix_start` on.
        remix_start: training step.
        labels: classes in the order of a classifier's logits, when the loss has one.
        query_encoder: of training batches, when it is not the model's.
        mean_captions: encode a caption as the mean of its phrases, not as a text of its own.
        max_bad_steps: steps in a row without finite loss and gradient that end the training.
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
        clean_loss: CompositeLoss | None = None,
        remix_loss: CompositeLoss | None = None,
        remix_start: int = 0,
        labels: Sequence[str] = (),
        query_encoder: QueryEncoder | None = None,
        mean_captions: bool = False,
        max_bad_steps: int = 10,
    ):
        super().__init__(model, optimizer, loss_func, train_loader, val_loader, scheduler, config)
        self.clean_loss, self.query_encoder = clean_loss, query_encoder
        self.mean_captions = mean_captions
        self.remix_loss, self.remix_start = remix_loss, remix_start
        self.classes = {label: index for index, label in enumerate(labels)}
        self.guard = StepGuard(max_bad_steps)
        self._scores: list[dict[str, float]] = []  # of this process's validation items

    @staticmethod
    def config_to_hparams(dic: dict) -> dict:
        """Flattens a configuration for the loggers; Asteroid's own fails on lists of text."""
        plain = (bool, int, float, str)
        flat = flatten_dict(dic)
        return {key: v if isinstance(v, plain) else str(v) for key, v in flat.items()}

    def common_step(
        self, batch: Batch | SemiSupervisedBatch, batch_nb: int, train: bool = True
    ) -> LossReport:
        """Separates a batch by the queries that the loss asks for, and computes the loss."""
        if isinstance(batch, Batch) and self.remix_loss and self.global_step >= self.remix_start:
            generator = torch.Generator().manual_seed(self.global_step)
            return self._loss_of(remix(self.model, batch, generator), self.remix_loss)
        if isinstance(batch, Batch):
            return self._loss_of(batch, self.loss_func)
        mixed = self._loss_of(batch.mixed, self.loss_func)
        clean = self._loss_of(batch.clean, self.clean_loss)
        terms = {f"clean_{name}": value for name, value in clean.terms.items()}
        return LossReport(mixed.total + clean.total, {**mixed.terms, **terms})

    def _loss_of(self, batch: Batch, loss: CompositeLoss) -> LossReport:
        outputs = self.estimate(batch, loss.needs(self.global_step))
        # Before a term gathers what a process that has raised would not give.
        if self._ranks > 1 and not self._all_agree(outputs.is_finite()):
            raise NotFiniteError("The estimates of a process are not finite.")
        return loss(outputs, self.global_step)

    @property
    def _ranks(self) -> int:
        return 1 if self._trainer is None else self.trainer.world_size

    def _all_agree(self, here: bool) -> bool:
        return self.trainer.strategy.reduce_boolean_decision(here)

    def estimate(self, batch: Batch, needs: frozenset[str]) -> SeparatorOutputs:
        """Separates a batch by all queries that are needed, in one pass.

        Args:
            batch: B examples of N mixtures with P phrases each.
            needs: "captions", "phrases", "absent" and "outputs" are queries; "waveforms"
                and "labels" of the phrases; "noise", the masks of noise heads.
        """
        encoder = self.query_encoder or self.model.query_encoder
        queries = encoder.encode_batch(batch, needs, mean_captions=self.mean_captions)
        query = concat_queries(list(queries.values())).to(batch.mixtures.device)
        spectra = self.model.separate_spectra(batch.mixture, query, noise="noise" in needs)
        counts = [part.num_queries for part in queries.values()]
        found = dict(zip(queries, spectra.estimates.split(counts, dim=1), strict=True))
        masks = dict(zip(queries, spectra.masks.split(counts, dim=1), strict=True))
        phrases = found.pop("phrases", None)  # (B, N * P, F, T)
        estimates = SeparatorOutputs(
            total=spectra.magnitude,
            mixtures=self.model.magnitude(batch.mixtures),
            caption_masks=masks.get("captions"),
            noise_masks=spectra.noise_masks,
            **found,
        )
        if phrases is None:
            return estimates
        grid = batch.phrase_weights.shape[1:]  # N, P
        return replace(
            estimates,
            phrases=phrases.unflatten(1, grid),
            phrase_masks=masks["phrases"].unflatten(1, grid),
            phrase_wavs=self.model.to_wav(phrases, spectra) if "waveforms" in needs else None,
            phrase_texts=batch.flat_phrases,
            caption_texts=batch.captions,
            phrase_weights=batch.phrase_weights,
            phrase_labels=self._class_indices(batch) if "labels" in needs else None,
        )

    def _class_indices(self, batch: Batch) -> Tensor:
        unknown = {label for row in batch.flat_labels for label in row} - set(self.classes)
        if unknown:
            raise ValueError(
                f"Expected labels of the classifier ({', '.join(self.classes)}), received "
                f"{sorted(unknown)[0]!r}. Train a classifier of this data set (stage 2)."
            )
        rows = [[self.classes[label] for label in row] for row in batch.flat_labels]
        return torch.tensor(rows, device=batch.mixtures.device)  # (B, N * P)

    def training_step(self, batch: Batch | SemiSupervisedBatch, batch_nb: int) -> Tensor:
        """Logs the loss and every term of it; a loss that is not finite is NaN for all weights."""
        report = self._finite_report(batch, batch_nb)
        finite = self._all_agree(report is not None)
        self.guard.note(batch, batch_nb, report is not None)
        if report is None or not finite:
            return nan_loss(self)
        shared = {"on_epoch": True, "sync_dist": True, "batch_size": 1}
        self.log("loss", report.total, on_step=True, prog_bar=True, **shared)
        for name, value in report.terms.items():
            self.log(f"train_{name}", value, on_step=False, **shared)
        return report.total

    def _finite_report(
        self, batch: Batch | SemiSupervisedBatch, batch_nb: int
    ) -> LossReport | None:
        try:
            report = self.common_step(batch, batch_nb, train=True)
        except NotFiniteError:
            return None
        return report if report.total.isfinite() else None

    def on_train_start(self) -> None:
        self.guard.begin(self)

    def on_before_optimizer_step(self, optimizer) -> None:
        """Logs the size of the gradient before it is clipped; a step without one is not taken."""
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        self.log("grad_norm", norm, on_step=True)
        self.guard.judge(self, optimizer, norm)
        if self.guard.count:
            self.log("bad_steps", float(self.guard.count), on_epoch=True, reduce_fx="max")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> dict[str, Any]:
        checkpoint["bad_steps"] = self.guard.count
        checkpoint["origin"] = self.model.origin
        return super().on_save_checkpoint(checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.guard.count = checkpoint.get("bad_steps", 0)
        self.model.origin = checkpoint.get("origin")

    def setup(self, stage: str) -> None:
        """Shares the examples of an epoch and the validation list among the processes."""
        drawn = getattr(self.train_loader, "sampler", None)
        if isinstance(drawn, OwnItems):
            drawn.share(self.trainer.global_rank, self._ranks)
        sampler = getattr(self.val_loader, "sampler", None)
        if not isinstance(sampler, OwnItems):
            return
        items = len(sampler.dataset)
        if items < self._ranks:
            raise ValueError(
                f"Expected a validation item or more for each of {self._ranks} devices, found "
                f"{items}: raise data.valid_items and draw the list again (stage 1)."
            )
        sampler.share(self.trainer.global_rank, self._ranks)

    def on_validation_epoch_start(self) -> None:
        self._scores = []

    def validation_step(
        self, items: Sequence[EvaluationItem], batch_nb: int
    ) -> dict[str, list[SeparatedItem]] | None:
        """Separates pinned mixtures by the phrases of their sources, and scores them.

        Returns:
            Those that could be read, as `separated`, for callbacks; None where none could.
        """
        items = [item for item in items if item.mixture is not None]
        if not items:
            return None
        separated = [
            SeparatedItem(*pair)
            for pair in zip(items, separate_items(self.model, items), strict=True)
        ]
        for scores in bss_evals((one.estimates, one.item.references) for one in separated):
            self._scores.append(
                {name: float(torch.as_tensor(value).nanmean()) for name, value in scores.items()}
            )
        return {"separated": separated}

    def on_validation_epoch_end(self) -> None:
        """Logs means over the items of all processes, which stop together where there are none."""
        found = [self._scores] * self._ranks
        if len(found) > 1:
            distributed.all_gather_object(found, self._scores)
        scores, self._scores = list(chain.from_iterable(found)), []
        if not scores:
            raise ValueError(
                "Expected validation mixtures that can be read, found none. Run stages 0 and 1."
            )
        for name in scores[0]:
            mean = math.fsum(row[name] for row in scores) / len(scores)  # in whatever order
            self.log(f"val_{name}", mean, prog_bar=name == "sdr", sync_dist=True)

    def transfer_batch_to_device(self, batch, device: torch.device, dataloader_idx: int):
        """Moves training batches; validation items stay on the CPU, where they are scored."""
        return batch if isinstance(batch, list) else batch.to(device)

    def train_dataloader(self):
        """Draws afresh in every epoch, in the same way for the same seed and epoch.

        An epoch that was stopped in its middle goes on with what it had not drawn.
        """
        loader = self.train_loader
        loader.dataset.epoch, loader.dataset.start = self.current_epoch, 0
        if self._trainer is not None and self.trainer.fit_loop.restarting:
            taken = self.trainer.fit_loop.epoch_loop.batch_progress.current.processed
            loader.dataset.start = taken * loader.batch_size * self._ranks
        return loader
