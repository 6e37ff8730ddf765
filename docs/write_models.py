"""Writes docs/models.md from the models of the package: python docs/write_models.py."""

from __future__ import annotations

import re
from pathlib import Path

from asteroid_bimodal.models.catalog import ModelFacts, describe_model
from asteroid_bimodal.models.pretrained import SHIPPED_MODELS

PAGE = Path(__file__).with_name("models.md")
SHIPPED = Path(__file__).parents[1] / "asteroid_bimodal/pretrained"
CARD = "../asteroid_bimodal/pretrained/{}/README.md"
HEAD = """# Models of the package

<!-- Written by docs/write_models.py. -->

Three separators come with the package; nothing is downloaded for them. `small` is the default:
16 kHz, real sounds. `mini` and `mini-events` are what the recipes' miniatures make in minutes:
8 kHz, rendered sounds, good for trying things. None of them is a replacement for a separator that
was trained for days: [Published separators](published.md) says how to use one.
"""
ENCODERS = {
    "small_clap": "sounds and words, for `small`",
    "mini_clap": "instruments and words, for `mini` and the recipe",
    "mini_clap_events": "everyday sounds and words, for `mini-events`",
    "mini_clip": "pictures and words, for `clip:mini` and `clip-image:mini`",
    "mini_resnet": "pictures, for `resnet:mini`",
}


def page() -> str:
    """The page as Markdown."""
    models = [describe_model(name) for name in SHIPPED_MODELS]
    parts = [HEAD, "| separator | rate | knows | weights | file | licence |", "|-|-|-|-|-|-|"]
    parts += [row(facts) for facts in models]
    parts += ["", "The encoders of their queries:", "", "| encoder | of | file | licence |"]
    parts.append("|-|-|-|-|")
    for folder, purpose in ENCODERS.items():
        card = f"[{folder}]({CARD.format(folder)})"
        parts.append(f"| {card} | {purpose} | {megabytes(folder)} | {licence(folder)} |")
    parts += [
        "",
        "The licence is that of the weights; the cards say what they have heard, and under which "
        "licences.\n`small` has heard speech under GPL-2 and CC BY-SA.",
        "",
    ]
    for facts in models:
        parts += [f"## What {facts.name} knows", ""]
        for kind, labels in facts.vocabulary.kinds.items():
            parts += [f"{len(labels)} {kind}: {'; '.join(labels)}.", ""]
    parts.append(
        "`asteroid-bimodal models NAME` lists the other words that a model knows for each sound. A "
        "query outside\nof them is answered [with a warning](separate.md#words).\n"
    )
    return "\n".join(parts)


def row(facts: ModelFacts) -> str:
    """A separator's row."""
    folder = SHIPPED_MODELS[facts.name]
    known = ", ".join(f"{len(labels)} {kind}" for kind, labels in facts.vocabulary.kinds.items())
    cells = (
        f"[`{facts.name}`]({CARD.format(folder)})",
        f"{facts.sample_rate / 1000:g} kHz",
        known,
        f"{facts.parameters / 1e6:.1f} million",
        megabytes(folder),
        licence(folder),
    )
    return f"| {' | '.join(cells)} |"


def megabytes(folder: str) -> str:
    """The size of the weights' file."""
    return f"{(SHIPPED / folder / 'model.safetensors').stat().st_size / 1e6:.1f} MB"


def licence(folder: str) -> str:
    """What the card says."""
    card = (SHIPPED / folder / "README.md").read_text(encoding="utf-8")
    return re.search(r"^license: (.*)$", card, re.MULTILINE)[1].upper()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
