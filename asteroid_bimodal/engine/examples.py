"""Examples of an experiment, as WAV files to listen to and for the report.

<exp>/examples/item_000/mixture.wav, reference_0.wav, estimate_0.wav, ..., example.json
"""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import soundfile

from ..report import Example
from ..utils.files import atomic_write
from ..utils.mappings import read_mapping


def save_examples(examples: list[Example], folder: str | Path) -> None:
    """Writes examples, replacing those of an earlier evaluation.

    Args:
        examples: what to write.
        folder: `<exp>/examples`.
    """
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    for example in examples:
        target = folder / example.name
        target.mkdir(parents=True)
        for name, wav in _tracks(example).items():
            soundfile.write(target / f"{name}.wav", wav, example.sample_rate, subtype="FLOAT")
        description = {"phrases": example.phrases, "metrics": example.metrics}
        with atomic_write(target / "example.json") as temporary:
            temporary.write_text(json.dumps(description, indent=2), encoding="utf-8")


def load_examples(folder: str | Path) -> list[Example]:
    """Reads what `save_examples` wrote; a broken example is left out, with a warning.

    Args:
        folder: `<exp>/examples`.
    """
    examples = []
    for path in sorted(Path(folder).glob("*/example.json")):
        try:
            examples.append(_load(path))
        except (ValueError, OSError, LookupError, TypeError, RuntimeError) as error:
            warnings.warn(
                f"The example in {path.parent} is left out, since it is not whole: "
                f"{' '.join(str(error).split())}",
                stacklevel=2,
            )
    return examples


def _load(path: Path) -> Example:
    description = read_mapping(path)
    phrases, metrics = description["phrases"], description["metrics"]
    lists = isinstance(phrases, list) and isinstance(metrics, list)
    if not lists or not all(isinstance(phrase, str) for phrase in phrases):
        raise ValueError(f"{path.name} needs a list of texts as phrases and one of metrics.")
    if metrics and [type(row) for row in metrics] != [dict] * len(phrases):
        raise ValueError(f"{path.name} needs metrics for each of its phrases.")

    def read(name: str) -> tuple[np.ndarray, int]:
        return soundfile.read(path.with_name(f"{name}.wav"), dtype="float32")

    mixture, sample_rate = read("mixture")
    return Example(
        name=path.parent.name,
        sample_rate=sample_rate,
        mixture=mixture,
        references=np.stack([read(f"reference_{k}")[0] for k in range(len(phrases))]),
        estimates=np.stack([read(f"estimate_{k}")[0] for k in range(len(phrases))]),
        phrases=phrases,
        metrics=metrics,
    )


def _tracks(example: Example) -> dict[str, np.ndarray]:
    tracks = {"mixture": example.mixture}
    tracks |= {f"reference_{k}": wav for k, wav in enumerate(example.references)}
    tracks |= {f"estimate_{k}": wav for k, wav in enumerate(example.estimates)}
    return {name: np.asarray(wav, dtype=np.float32) for name, wav in tracks.items()}
