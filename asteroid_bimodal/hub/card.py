"""The model card: what a reader of the hub sees, and the header that the hub itself reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

if TYPE_CHECKING:
    from ..models import QueriedSeparator

TAGS = ["asteroid", "audio-source-separation", "text-conditioned", "audio", "audio-to-audio"]
NAMES = {
    "sdr": "SDR (dB)",
    "sdr_imp": "SDR improvement over the mixture (dB)",
    "sir": "SIR (dB)",
    "sar": "SAR (dB)",
    "si_sdr": "SI-SDR (dB)",
    "si_sdr_imp": "SI-SDR improvement over the mixture (dB)",
    "clap_score": "CLAP score",
}

_TEXT = """---
{{ card_data }}
---

# {{ name }}

Separates sounds by words: a recording and a text such as "violin" in, the sound that the text names
out. A `{{ model_class }}` of [Asteroid](https://github.com/asteroid-team/asteroid) and
`asteroid_bimodal`, after Mahmud et al., "Weakly-supervised audio separation via bi-modal semantic
similarity", ICLR 2024.

## Use

```python
from asteroid_bimodal.models import {{ model_class }}

model = {{ model_class }}.from_pretrained("{{ repo_id }}")
estimates = model.separate("duet.wav", ["violin", "flute"])
```

or `asteroid-bimodal separate duet.wav violin flute --model {{ repo_id }}`. The file
`pytorch_model.bin` is in Asteroid's own format.

## Training

| | |
|-|-|
{%- for key, value in training.items() %}
| {{ key }} | {{ value }} |
{%- endfor %}
{%- if command %}

Made by

    {{ command }}
{%- endif %}

The whole configuration is in `conf.yml`.

## Results
{% if rows %}
On `{{ test_list }}`: {{ n_items }} mixtures, none of them used in training{{ left_out }}.
Means over mixtures with 95 % intervals:

| metric | mean | 95 % interval |
|-|-|-|
{%- for metric, mean, interval in rows %}
| {{ metric }} | {{ mean }} | {{ interval }} |
{%- endfor %}

Every test item is in `metrics.csv`.
{% else %}
It was not evaluated.
{% endif %}
## Limits

- It works at {{ sample_rate }} Hz: what a recording has above {{ band }} Hz stays in the residual.
- It knows the kinds of sound that it was trained with; on others, and on recordings unlike those of
  training, expect less than these figures.
- A query for a sound that is not there may return a part of the others.
- The queries are read by the frozen text encoder `{{ encoder }}`, which is loaded by that name.

## Licence

MIT, the weights included. Recordings used in training keep their own licences.
"""


def model_card(
    model: QueriedSeparator,
    *,
    conf: Mapping[str, Any],
    run: Mapping[str, Any],
    metrics: Mapping[str, Any],
    repo_id: str,
) -> str:
    """Writes the card of a model: YAML header and Markdown.

    Args:
        model: what is published.
        conf: of the experiment, `conf.yml`; what is not known is left out.
        run: what was run and on what, `run.json`.
        metrics: `final_metrics.json`.
        repo_id: where it goes, `"user/name"`.
    """
    args = model.get_model_args()
    scores = {key: metrics[key] for key in NAMES if metrics.get(key) is not None}
    name = repo_id.split("/")[-1]
    header = ModelCardData(
        license="mit",
        library_name="asteroid",
        pipeline_tag="audio-to-audio",
        tags=TAGS,
        metrics=list(scores) or None,
        model_name=name,
        eval_results=_eval_results(scores, metrics, _dataset(conf)) or None,
    )
    card = ModelCard.from_template(
        header,
        template_str=_TEXT,
        name=name,
        repo_id=repo_id,
        model_class=type(model).__name__,
        training=_training(conf, run),
        command=run.get("command"),
        rows=_rows(scores, metrics),
        test_list=metrics.get("test_list", "the test set"),
        n_items=metrics.get("n_items", "?"),
        left_out=_left_out(metrics),
        sample_rate=f"{args['sample_rate']:.0f}",
        band=f"{args['sample_rate'] / 2:.0f}",
        encoder=args["query_encoder"],
    )
    return f"{str(card).strip()}\n"


def _eval_results(
    scores: Mapping[str, float], metrics: Mapping[str, Any], dataset: str
) -> list[EvalResult]:
    return [
        EvalResult(
            task_type="audio-to-audio",
            task_name="Audio source separation by text",
            dataset_type=dataset.lower().replace(" ", "-"),
            dataset_name=dataset,
            dataset_config=metrics.get("test_list"),
            dataset_split="test",
            metric_type=key,
            metric_name=NAMES[key],
            metric_value=round(value, 3),
        )
        for key, value in scores.items()
    ]


def _rows(scores: Mapping[str, float], metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    for key, value in scores.items():
        bounds = metrics.get("interval_95", {}).get(key)
        interval = " to ".join(f"{bound:.2f}" for bound in bounds) if bounds else "–"
        rows.append((NAMES[key], f"{value:.2f}", interval))
    return rows


def _left_out(metrics: Mapping[str, Any]) -> str:
    skipped = metrics.get("n_skipped", 0)
    return f" (clips that could not be read: {skipped})" if skipped else ""


def _training(conf: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, str]:
    """Names and values of what was trained on what; what is not known is left out."""
    sources = _section(conf, "data").get("n_src")
    supervision = f"mixtures of {sources} sounds with their captions, never a single sound"
    versions = run.get("versions", {})
    facts = {
        "System": conf.get("system"),
        "Data": _dataset(conf),
        "Examples": "single sounds with their labels" if sources == 1 else sources and supervision,
        "Losses": ", ".join(_section(conf, "loss").get("terms", [])),
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


def _section(conf: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = conf.get(name)
    return section if isinstance(section, Mapping) else {}
