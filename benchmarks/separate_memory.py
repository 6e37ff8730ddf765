"""Peak memory of `model.separate` on a long file, above the loaded model and the result.

The file, noise over a wandering tone, is written by another process to a temporary folder,
separated on the CPU with one thread, and deleted. The peak is that of a fresh process.

    python benchmarks/separate_memory.py --minutes 10 --rate 44100 --channels 2 violin flute
    python benchmarks/separate_memory.py --model audiosep --minutes 10 violin

The model `audiosep` is made up for this: AudioSep and its CLAP of the published sizes, with random
weights, as an import writes them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from long_files import peak, write_input

from asteroid_bimodal.models import AudioSep, load_separator


def measure(path: Path, model_name: str, queries: list[str]) -> None:
    """Separates a file, and prints memory."""
    torch.set_num_threads(1)
    model = load_separator(model_name)
    model.separate({"array": torch.zeros(8000), "sampling_rate": 8000}, queries)  # all is loaded
    loaded = peak()
    result = model.separate(path, queries)
    holds = result.estimates.nbytes / 1e6
    above = peak() - loaded
    print(f"{loaded:.0f} MB when loaded, {loaded + above:.0f} MB at the peak")
    print(f"the result holds {holds:.0f} MB, separating took {above - holds:.0f} MB more")


def write_audiosep(folder: Path) -> None:
    """Writes the folder of an imported AudioSep with random weights."""
    from tokenizers import Tokenizer, models
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, PreTrainedTokenizerFast

    audio = {"hidden_size": 1024, "patch_embeds_hidden_size": 128, "depths": [2, 2, 12, 2]}
    text = {"vocab_size": 50265, "max_position_embeddings": 514}
    config = {"audio_config": audio, "text_config": text, "projection_dim": 512}
    words = {word: index for index, word in enumerate(["<pad>", "<unk>", "violin", "flute"])}
    words |= {f"word{index}": index for index in range(len(words), text["vocab_size"])}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, "<unk>")),
        **{"pad_token": "<pad>", "unk_token": "<unk>", "model_max_length": 512},
    )
    for part in (ClapModel(ClapConfig(**config)), tokenizer, ClapFeatureExtractor()):
        part.save_pretrained(folder / "clap")
    AudioSep(query_encoder=f"{folder}/clap").save_pretrained(
        folder / "audiosep", bundle_encoder=True
    )


def run_alone(function: Callable[..., None], *args: Any) -> None:
    """Runs in a process of its own, whose peak is that of nothing else."""
    process = multiprocessing.get_context("spawn").Process(target=function, args=args)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)


def main() -> None:
    """Writes the file and measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("queries", nargs="+")
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--rate", type=int, default=44100)
    parser.add_argument("--channels", type=int, default=2)
    parser.add_argument("--model", default="mini")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.wav"
        write_input(path, args.minutes, args.rate, args.channels)
        if args.model == "audiosep":
            run_alone(write_audiosep, Path(folder))
            args.model = f"{folder}/audiosep"
        run_alone(measure, path, args.model, args.queries)


if __name__ == "__main__":
    main()
