"""What the full sets cost before and beside the training steps, on stand-ins: docs/scaling.md.

Clips are FLAC files of 10 s at 16 kHz, a tone over noise, which many names share by links; labels
are rare and frequent, as VGGSound's. CPU seconds of one process.

    python benchmarks/full_size.py files       taking in, manifests, shards, of 2090 clips
    python benchmarks/full_size.py distinct    clips that an epoch sees, from files and from shards
    python benchmarks/full_size.py captions AUDIOCAPS.csv    parsing them, and embedding
    python benchmarks/full_size.py texts       90 000 embeddings of a full CLAP: file, memory, time
    python benchmarks/full_size.py memory      of a training step, all sets, in GiB
    python benchmarks/full_size.py operations  of an example, forward and backward
"""

from __future__ import annotations

import csv
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import torch
import webdataset
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoTokenizer, ClapConfig, ClapFeatureExtractor, ClapModel

from asteroid_bimodal.data.captioned import phrases_of
from asteroid_bimodal.data.datasets import LabelledMixtures
from asteroid_bimodal.data.download import Entry, download, write_manifests
from asteroid_bimodal.data.download.clips import write_clips
from asteroid_bimodal.data.manifest import Clip, write_manifest
from asteroid_bimodal.data.sharded import ShardedMixtures
from asteroid_bimodal.data.shards import write_shards
from asteroid_bimodal.engine.build import build_loss, build_model
from asteroid_bimodal.engine.memory import step_bytes
from asteroid_bimodal.engine.recipe import recipe_conf
from asteroid_bimodal.masknn import CondUNet
from asteroid_bimodal.queries import ClapTextEncoder, EncodedQuery, QueryEmbedding
from asteroid_bimodal.queries.embedding import EmbeddingCache
from asteroid_bimodal.utils.clap import MINI

CLIPS, LABELS, GIB = 2090, 309, 2**30


@contextmanager
def told(what: str) -> Iterator[None]:
    """Prints the CPU time of what is done within."""
    before = time.process_time()
    yield
    print(f"{what}: {time.process_time() - before:.2f} s", flush=True)


def labels(seed: int = 0) -> list[str]:
    """A label for each clip; every label has one or more."""
    shares = np.linspace(0.3, 1.7, LABELS)
    drawn = np.random.default_rng(seed).choice(LABELS, CLIPS - LABELS, p=shares / shares.sum())
    return [f"sound {number}" for number in [*range(LABELS), *drawn]]


def files(root: Path, seconds: float = 10.0) -> list[Clip]:
    """Links to ten files; returns the rows of the manifest."""
    (root / "audio").mkdir()
    rng, rate = np.random.default_rng(0), 16_000
    clips = []
    for number, label in enumerate(labels()):
        path = root / "audio" / f"{number:011d}_000000.flac"
        if number < 10:
            noise = 0.05 * rng.standard_normal(round(seconds * rate))
            soundfile.write(path, noise + 0.3 * np.sin(np.arange(len(noise)) / (number + 3)), rate)
        else:
            os.link(root / "audio" / f"{number % 10:011d}_000000.flac", path)
        name = path.relative_to(root).as_posix()
        clips.append(Clip(name, label, "", seconds, "train"))
    write_manifest(root / "train.csv", clips)
    return clips


def measure_files(root: Path) -> None:
    clips = files(root)
    entries = [
        Entry(clip.path, Path(clip.path).stem.split("_")[0], 0.0, 10.0, clip.label, (), "train")
        for clip in clips
    ]
    print(f"{CLIPS} clips of {os.path.getsize(root / clips[0].path) / 1000:.0f} kB")
    write_clips(root, entries)
    with told("taking in: decoding, ledger"):
        print(download(entries, root))
    with told("taking in again"):
        download(entries, root)
    with told("manifests"):
        write_manifests(root)
    with told("shards of 250"):
        write_shards(root, root / "shards", clips_per_shard=250, jobs=4)
    with told("the same shards, looked at"):
        write_shards(root, root / "shards", clips_per_shard=250, jobs=4)
    settings = {"sample_rate": 16_000, "num_samples": 131_070, "epoch_size": 100}
    from_files = LabelledMixtures(root / "train.csv", **settings)
    with told("100 examples of four crops, from files"):
        list(from_files)
    with told("the same, from shards, with 256 MB read at the beginning"):
        list(ShardedMixtures(str(root / "shards" / "train-*.tar"), **settings))


def measure_distinct(root: Path) -> None:
    """400 clips of half a second and four labels; workers hold half of them."""
    rate, clips = 8000, []
    for label, count in {"bell": 60, "drum": 80, "horn": 120, "siren": 140}.items():
        for number in range(count):
            soundfile.write(root / f"{label}{number}.wav", 0.3 * np.sin(np.arange(4000) / 5), rate)
            clips.append(Clip(f"{label}{number}.wav", label, "", 0.5, "train"))
    write_manifest(root / "train.csv", clips)
    write_shards(root, root, clips_per_shard=12)
    settings = {"sample_rate": rate, "num_samples": 3200, "num_sources": 1, "epoch_size": 100}
    half = len(clips) // 2 * os.path.getsize(root / clips[0].path)

    def seen(data: LabelledMixtures | ShardedMixtures, workers: int = 1) -> float:
        found = set()
        for data.epoch in range(6):
            for worker in range(workers):
                place = 0, 1, worker, workers
                webdataset.utils.pytorch_worker_info = lambda place=place: place
                found |= {(data.epoch, path) for example in data for path in example.clips}
        return len(found) / 6

    files = seen(LabelledMixtures(root / "train.csv", **settings))
    print(f"files: {files:.1f} distinct clips in an epoch", flush=True)
    for workers in range(1, 9):
        data = ShardedMixtures(f"{root}/train-*.tar", memory=half // workers, **settings)
        count = seen(data, workers)
        print(f"{workers} workers: {count:.1f}, {100 * count / files:.1f} %", flush=True)


def resident(kind: str) -> float:
    """Megabytes of this process."""
    rows = (Path("/") / "proc" / "self" / "smaps_rollup").read_text().splitlines()
    return sum(int(row.split()[1]) for row in rows if row.startswith(kind)) / 1e3


def measure_texts(root: Path) -> None:
    path, count = root / "texts.safetensors", 90_000
    if os.fork() == 0:
        generator, cache = torch.Generator().manual_seed(0), EmbeddingCache(count)
        lengths = torch.randint(6, 14, (count,), generator=generator).tolist()  # 9.5 on average
        for number, length in enumerate(lengths):
            item = torch.zeros(length, 768), torch.ones(length, dtype=torch.bool), torch.zeros(512)
            cache.put(f"text {number}", EncodedQuery(*item))
        with told("saving"):
            cache.save(path, "me")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"peak of a process that makes and saves them: {peak:.2f} GB", flush=True)
        os._exit(0)
    os.wait()
    print(f"file: {os.path.getsize(path) / 1e9:.2f} GB")
    before, cache = [resident(kind) for kind in ("Rss:", "Private_Dirty:")], EmbeddingCache()
    with told("loading"):
        cache.load(path, "me")
    for kind, old in zip(("Rss:", "Private_Dirty:"), before, strict=True):
        print(f"loaded, {kind} +{(resident(kind) - old) / 1000:.2f} GB")


def full_size_clap(folder: Path) -> None:
    """CLAP's architecture with random weights, and the tokenizer of the miniature."""
    tokenizer = AutoTokenizer.from_pretrained(MINI)
    text = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    clap = ClapModel(ClapConfig(text_config=text))
    for part in (clap, tokenizer, ClapFeatureExtractor(truncation="rand_trunc")):
        part.save_pretrained(folder)


def measure_memory(root: Path) -> None:
    """What training tells before its first step, of 16 examples and of 8."""
    full_size_clap(root / "clap")
    files(root, 0.05)
    sets = {
        "MUSIC, 2 sources": ("music", ["--n_src", "2"]),
        "AudioCaps": ("audiocaps", []),
        "MUSIC, 4 sources": ("music", ["--n_src", "4"]),
        "VGGSound, 1 source": ("vggsound", ["--n_src", "1"]),
    }
    places = {"data.root": root, "query.encoder": root / "clap", "scorer.name": root / "clap"}
    common = [text for key, value in places.items() for text in (f"--{key}", str(value))]
    model = None
    for name, (recipe, options) in sets.items():
        for size in ([], ["--batch_size", "8", "--scorer.chunk_size", "8"]):
            told = ["--data", "full", *common, *options, *size]
            conf = recipe_conf(Path(__file__).parents[1] / "egs" / recipe, told)
            model, loss = model or build_model(conf), build_loss(conf)
            model.masker.checkpoint_activations = True
            needed = step_bytes(model, [loss], conf, "bf16-mixed", torch.device("cpu"))
            print(f"{name}, batch {conf.training.batch_size}: {needed / GIB:.1f} GiB", flush=True)


def measure_captions(root: Path) -> None:
    """Parses AudioCaps' train.csv, and embeds 256 of what it says."""
    with open(sys.argv[2], newline="") as file:
        captions = list(dict.fromkeys(row["caption"] for row in csv.DictReader(file)))
    with told(f"parsing {len(captions)} captions"):
        texts = dict.fromkeys(text for one in captions for text in (one, *phrases_of(one)))
    print(f"{len(texts)} distinct texts")
    full_size_clap(root / "clap")
    encoder = ClapTextEncoder(str(root / "clap"))
    with told("embedding 256 of them by a full CLAP"):
        encoder.encode(list(texts)[:: len(texts) // 256][:256])


def measure_operations(_: Path) -> None:
    with torch.device("meta"):
        masker = CondUNet()
        for queries in (2, 4, 6, 8, 10):
            query = QueryEmbedding(
                torch.zeros(1, queries, 12, 768),
                torch.ones(1, queries, 12, dtype=torch.bool),
                torch.zeros(1, queries, 512),
            )
            with FlopCounterMode(display=False) as forward:
                masks = masker(torch.zeros(1, 1, 512, 512), query)
            with FlopCounterMode(display=False) as backward:
                masks.sum().backward()
            counts = [mode.get_total_flops() / 1e9 for mode in (forward, backward)]
            print(f"{queries} queries: {counts[0]:.0f} + {counts[1]:.0f} GFLOP", flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        globals()[f"measure_{sys.argv[1]}"](Path(folder))
