"""The model card: what a reader of the hub sees, and the header that the hub itself reads."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from ..metrics import metric_title
from ..queries import EncoderSpec
from ..queries.modality import EMBEDDING_USAGE, Usage
from ..utils.markdown import code, plain

if TYPE_CHECKING:
    from ..models import QueriedSeparator
    from .artifacts import PublishedExample

TAGS = ["asteroid", "audio-source-separation", "audio", "audio-to-audio"]
_TEMPLATE = Path(__file__).with_name("card.md")
_SCORES = ("sdr", "sdr_imp", "sir", "sar", "si_sdr", "si_sdr_imp", "clap_score")


def model_card(
    model: QueriedSeparator,
    *,
    conf: Mapping[str, Any],
    run: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    repo_id: str,
    example: PublishedExample | None = None,
    spectrograms: str = "",
    curves: str = "",
    license_id: str = "mit",
) -> str:
    """Writes the card of a model, YAML header and Markdown; unknown facts are left out."""
    args, kind = model.get_model_args(), type(model).__name__
    usage = _usage(args["query_encoder"])
    name = repo_id.split("/")[-1]
    card = ModelCard.from_template(
        _header(name, usage, conf, results, license_id),
        template_path=_TEMPLATE,
        plain=plain,
        code=code,
        name=name,
        repo_id=repo_id,
        model_class=kind,
        usage=usage,
        queries=json.dumps(list(usage.queries), ensure_ascii=False) if usage.queries else "query",
        words=usage.command_line,
        configured=bool(conf),
        example=example,
        spectrograms=spectrograms,
        curves=curves,
        training=_training(conf, run),
        command=run.get("command"),
        tables=[table for table in map(_table, results) if table["rows"]],
        sample_rate=f"{args['sample_rate']:.0f}",
        band=f"{args['sample_rate'] / 2:.0f}",
        license_id=license_id,
        origin=model.origin,
        sounds=_sounds(model),
        data_licence=_data_licence(conf),
    )
    return f"{str(card).strip()}\n"


def _sounds(model: QueriedSeparator) -> str:
    known = model.vocabulary
    if known is None or not known.labels:
        return "the kinds of sound that it was trained with"
    listed = (f"{len(labels)} {kind} ({'; '.join(labels)})" for kind, labels in known.kinds.items())
    return ", ".join(listed)


def _usage(query_encoder: str | None) -> Usage:
    if query_encoder is None:
        return EMBEDDING_USAGE
    spec = EncoderSpec.parse(query_encoder)
    return spec.encoder_class.describe(spec)


def _header(
    name: str,
    usage: Usage,
    conf: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    license_id: str,
) -> ModelCardData:
    data_name = _section(conf, "data").get("name")
    evaluated = [entry for metrics in results for entry in _eval_results(metrics, conf, usage)]
    return ModelCardData(
        license=license_id,
        library_name="asteroid",
        pipeline_tag="audio-to-audio",
        tags=[*TAGS, usage.tag],
        datasets=[data_name] if data_name else None,
        metrics=list(dict.fromkeys(entry.metric_type for entry in evaluated)) or None,
        model_name=name,
        eval_results=evaluated or None,
    )


def _scores(metrics: Mapping[str, Any]) -> dict[str, float]:
    found = {key: metrics.get(key) for key in _SCORES}
    return {key: v for key, v in found.items() if v is not None and math.isfinite(v)}


def _eval_results(
    metrics: Mapping[str, Any], conf: Mapping[str, Any], usage: Usage
) -> list[EvalResult]:
    dataset = _dataset(conf)
    return [
        EvalResult(
            task_type="audio-to-audio",
            task_name=usage.task,
            dataset_type=dataset.lower().replace(" ", "-"),
            dataset_name=dataset,
            dataset_config=metrics.get("test_list"),
            dataset_split="test",
            metric_type=key,
            metric_name=metric_title(key),
            metric_value=round(value, 3),
        )
        for key, value in _scores(metrics).items()
    ]


def _table(metrics: Mapping[str, Any]) -> dict[str, Any]:
    skipped = metrics.get("n_skipped", 0)
    return {
        "test_list": metrics.get("test_list", "the test set"),
        "n_items": metrics.get("n_items", "?"),
        "left_out": f" (clips that could not be read: {skipped})" if skipped else "",
        "rows": [_row(key, value, metrics) for key, value in _scores(metrics).items()],
    }


def _row(key: str, value: float, metrics: Mapping[str, Any]) -> tuple[str, str, str]:
    bounds = metrics.get("interval_95", {}).get(key)
    interval = " to ".join(f"{bound:.2f}" for bound in bounds) if bounds else "–"
    return metric_title(key), f"{value:.2f}", interval


def _training(conf: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, str]:
    """Names and values of what was trained on what; what is not known is left out."""
    sources = _section(conf, "data").get("n_src")
    supervision = f"mixtures of {sources} sounds with their captions, never a single sound"
    versions = run.get("versions", {})
    facts = {
        "System": conf.get("system"),
        "Data": _dataset(conf) if _section(conf, "data") else None,
        "Examples": "single sounds with their labels" if sources == 1 else sources and supervision,
        "Losses": ", ".join(_section(conf, "loss")),
        "Semantic scorer": _section(conf, "scorer").get("name"),
        "Parameters": f"{run['parameters']:,}" if "parameters" in run else None,
        "Steps": f"{run['steps']:,}" if "steps" in run else None,
        "Time": f"{run['minutes']} minutes" if "minutes" in run else None,
        "Device": run.get("device"),
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
    return {name: str(value) for name, value in facts.items() if value}


def _dataset(conf: Mapping[str, Any]) -> str:
    """Names the data set and which of its sizes was used, such as "MUSIC mini"."""
    data = _section(conf, "data")
    return f"{data.get('name', '')} {Path(data.get('root', 'unknown')).name}".strip()


def _data_licence(conf: Mapping[str, Any]) -> str:
    if _section(conf, "data").get("rendered"):
        return (
            "The training data was rendered, from the General MIDI soundfont in the package "
            "`pretty_midi`, which has a licence of its own."
        )
    return (
        "The recordings used in training keep their own licences, which may restrict what a model "
        "made of them may be used for."
    )


def _section(conf: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = conf.get(name)
    return section if isinstance(section, Mapping) else {}
