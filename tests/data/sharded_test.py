import io
from dataclasses import fields

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader

from asteroid_bimodal.data import mixture_builder, sharded
from asteroid_bimodal.data.batches import collate
from asteroid_bimodal.data.captioned import CaptionedBuilder, CaptionedMixtures
from asteroid_bimodal.data.crops import SILENT
from asteroid_bimodal.data.datasets import LabelledMixtures
from asteroid_bimodal.data.manifest import Clip, read_manifest, write_manifest
from asteroid_bimodal.data.sharded import ShardedMixtures, ShardWindow
from asteroid_bimodal.data.shards import find_shards, read_shards, write_shards
from asteroid_bimodal.utils.audio_file import UnreadableAudioError

wds = pytest.importorskip("webdataset")
SETTINGS = {"sample_rate": 8000, "num_samples": 4000, "epoch_size": 12}


@pytest.fixture(scope="module")
def shards(tone_set, tmp_path_factory):
    out = tmp_path_factory.mktemp("shards")
    write_shards(tone_set.root, out, clips_per_shard=4)
    return f"{out}/train-*.tar"


def mixtures(shards, **changes) -> ShardedMixtures:
    return ShardedMixtures(shards, **{**SETTINGS, **changes})


def heard(wav, tones) -> set[str]:
    """Labels whose tone stands out in a signal."""
    spectrum = np.abs(np.fft.rfft(wav.numpy() * np.hanning(len(wav))))
    levels = {label: spectrum[round(f * len(wav) / 8000)] for label, f in tones.items()}
    return {label for label, level in levels.items() if level > 0.05 * max(levels.values())}


def same(first, second) -> bool:
    words = (first.captions, first.phrases) == (second.captions, second.phrases)
    return words and torch.equal(first.mixtures, second.mixtures)


def own(root, label, name, content=b"", seconds=2.0):
    (root / name).write_bytes(content)
    clips = read_manifest(root / "train.csv")
    write_manifest(root / "train.csv", [*clips, Clip(name, label, "", seconds, "train")])


def test_a_batch_is_like_that_of_files(tone_set, shards):
    changes = {"num_absent": 2, "prompt": ["The sound of {}", "{}"]}
    files = LabelledMixtures(tone_set.root / "train.csv", **SETTINGS, **changes)
    ours = collate(list(mixtures(shards, **changes))[:4])
    theirs = collate([files[n] for n in range(4)])
    for field in fields(theirs):
        here, there = getattr(ours, field.name), getattr(theirs, field.name)
        assert type(here) is type(there)
        if isinstance(there, torch.Tensor):
            assert (here.shape, here.dtype) == (there.shape, there.dtype)
        else:
            assert np.shape(here) == np.shape(there), field.name
    assert torch.equal(ours.mixture, ours.mixtures.sum(1))


def test_the_parts_add_up(shards, monkeypatch):
    mixed = []
    monkeypatch.setattr(
        mixture_builder,
        "mix",
        lambda *args, mix=mixture_builder.mix: mixed.append(mix(*args)) or mixed[-1],
    )
    for example in mixtures(shards, num_sources=3):
        assert torch.equal(mixed[-1].parts.sum(1), example.mixtures)
        assert torch.equal(example.mixtures.sum(0), mixed[-1].mixture)


@pytest.mark.parametrize("memory", [2**28, 200_000])
@pytest.mark.parametrize("n_src", [1, 2])
def test_words_name_what_is_heard(tone_set, shards, n_src, memory):
    """With memory for all clips and for six of them."""
    for example in mixtures(shards, num_sources=n_src, memory=memory):
        names = [label for labels in example.labels for label in labels]
        assert len(set(names)) == 2 * n_src
        for wav, labels, phrases in zip(
            example.mixtures, example.labels, example.phrases, strict=True
        ):
            assert heard(wav, tone_set.tones) == set(labels)
            assert phrases == [f"The sound of {label}" for label in labels]


def test_seed_and_epoch_fix_the_examples(shards):
    data, expected = mixtures(shards), list(mixtures(shards))
    assert len(expected) == 12 and all(map(same, data, expected))
    assert not same(next(iter(mixtures(shards, seed=1))), expected[0])
    data.epoch = 1
    assert not same(next(iter(data)), expected[0])


def test_all_labels_and_clips_come_up(tone_set, shards):
    """Also with memory for few of them at a time."""
    data = mixtures(shards, epoch_size=100, memory=200_000)
    labels = {text for example in data for texts in example.labels for text in texts}
    assert labels == set(tone_set.tones)


def test_workers_see_different_clips(shards):
    first, second = (mixtures(shards)._own_shards(place, 2) for place in range(2))
    paths = [{clip.clip.path for clip in read_shards(names)} for names in (first, second)]
    assert len(first) == len(second) == 2
    assert len(paths[0]) == len(paths[1]) == 8 and not paths[0] & paths[1]
    data = mixtures(shards)
    data.epoch = 1
    assert data._own_shards(0, 2) != first or data._own_shards(1, 2) != second


def test_two_workers_share_an_epoch(tone_set, shards, tmp_path):
    """Each label is in one worker's shards alone, so that its mixtures tell the worker."""
    clips = read_manifest(tone_set.root / "train.csv")
    halves = [set(sorted(tone_set.tones)[start::2]) for start in range(2)]
    for number, half in enumerate(halves):
        rows = [clip for clip in clips if clip.label in half]
        folder = tmp_path / str(number)
        write_manifest(folder / "train.csv", rows)
        (folder / "solo").symlink_to(tone_set.root / "solo")
        write_shards(folder, tmp_path / f"shards{number}")
    data = mixtures(f"{tmp_path}/shards*/train-*.tar")
    batches = list(DataLoader(data, batch_size=3, collate_fn=collate, num_workers=2))
    assert [len(batch.mixtures) for batch in batches] == [3, 3, 3, 3]
    for batch in batches:
        assert {label for row in batch.flat_labels for label in row} <= halves[0] or {
            label for row in batch.flat_labels for label in row
        } <= halves[1]
    seen = {label for batch in batches for row in batch.flat_labels for label in row}
    assert seen & halves[0] and seen & halves[1]


def test_processes_share_an_epoch(shards, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    examples = []
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        examples.append(list(mixtures(shards, num_sources=1)))
    assert [len(part) for part in examples] == [6, 6]
    assert not any(same(one, other) for one, other in zip(*examples, strict=True))


def test_processes_make_as_many_examples(shards, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    counts = []
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        counts.append(len(list(mixtures(shards, num_sources=1, epoch_size=13))))
    assert counts == [6, 6]


@pytest.mark.parametrize(
    ("epoch_size", "batch_size", "sizes"), [(12, 4, [4] * 3), (8, 8, [8]), (13, 3, [3] * 4)]
)
def test_no_batch_is_lost_among_workers(shards, epoch_size, batch_size, sizes):
    data = mixtures(shards, epoch_size=epoch_size, batch_size=batch_size, num_sources=1)
    loader = DataLoader(
        data, batch_size=batch_size, collate_fn=collate, num_workers=2, drop_last=True
    )
    assert [len(batch.mixtures) for batch in loader] == sizes


def test_processes_make_as_many_batches(shards, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    counts = []
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        counts.append(len(list(mixtures(shards, num_sources=1, epoch_size=15, batch_size=3))))
    assert counts == [6, 6]


def test_an_epoch_of_no_batch(shards, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(ValueError, match="fills a batch of 8 for each of 2 processes, received 12"):
        next(iter(mixtures(shards, batch_size=8)))


def test_memory_is_bounded_and_renewed(shards):
    generator = torch.Generator().manual_seed(0)
    window = ShardWindow(find_shards(shards), 200_000, generator)
    clips = [clip for group in window.by_label.values() for clip in group]
    assert len(clips) == 7  # of 32 kB, one more than fit
    seen = {clip.clip.path for clip in clips}
    for _ in range(30):
        window.renew(2.0, 0.5)
        held = [clip for group in window.by_label.values() for clip in group]
        assert len(held) == 6
        seen |= {clip.clip.path for clip in held}
    assert len(seen) == 16  # came round more than once


def test_as_much_comes_in_as_is_used(shards, monkeypatch):
    """Crops of 0.5 s, four in an example: each takes in a clip of 2 s."""
    read = []
    monkeypatch.setattr(
        sharded,
        "read_shards",
        lambda *args: (read.append(clip) or clip for clip in read_shards(*args)),
    )
    data = iter(mixtures(shards, memory=200_000, epoch_size=20))
    next(data)
    assert len(read) == 7
    for _ in range(10):
        next(data)
    assert len(read) == 17


@pytest.mark.parametrize("memory", [2**28, 400_000])
def test_broken_audio_is_skipped_and_reported(own_tone_set, tmp_path, memory):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.full(16_000, np.nan), 8000, format="WAV", subtype="FLOAT")
    own(own_tone_set.root, "violin", "nan.wav", buffer.getvalue())
    write_shards(own_tone_set.root, tmp_path, clips_per_shard=9)
    examples = list(mixtures(f"{tmp_path}/train-*.tar", num_sources=4, memory=memory))
    assert len(examples) == 12
    skipped = collate(examples).skipped
    assert skipped and all("NaN" in skip.reason for skip in skipped)
    assert {skip.path.split("/")[0].split("-")[0] for skip in skipped} == {"train"}
    if memory > 2**20:
        assert len(skipped) == 1  # not asked for again


def test_a_broken_member_is_skipped_and_reported(own_tone_set, tmp_path):
    first, _ = write_shards(own_tone_set.root, tmp_path, clips_per_shard=8).paths
    content = bytearray(first.read_bytes())
    start = content.index(b"RIFF")
    content[start : start + 4] = b"BANG"
    first.write_bytes(content)
    examples = list(mixtures(f"{tmp_path}/train-*.tar", epoch_size=40))
    skipped = collate(examples).skipped
    assert len(examples) == 40 and len(skipped) == 1
    assert skipped[0].path.startswith(f"{first.name}/") and "Cannot read" in skipped[0].reason


def test_silent_labels_are_passed_over(own_tone_set, tmp_path):
    for path in own_tone_set.root.glob("solo/audio/violin/train*.wav"):
        soundfile.write(path, np.zeros(16_000), 8000)
    write_shards(own_tone_set.root, tmp_path)
    examples = list(mixtures(f"{tmp_path}/train-*.tar"))
    assert not any("violin" in text for example in examples for text in example.captions)
    skipped = collate(examples).skipped
    assert len({skip.path for skip in skipped}) == 2
    assert all(skip.reason == SILENT for skip in skipped)


def test_nothing_usable(own_tone_set, tmp_path):
    write_shards(own_tone_set.root, tmp_path)
    (path,) = tmp_path.glob("train-*.tar")
    path.write_bytes(path.read_bytes().replace(b"RIFF", b"BANG"))
    with pytest.raises(
        UnreadableAudioError, match="usable audio for 0 labels.*Last problem: .*train"
    ):
        list(mixtures(str(path)))
    path.write_bytes(b"no tar" * 200)
    with pytest.raises(UnreadableAudioError, match="Found no clip in .* problem: .*Cannot read on"):
        list(mixtures(str(path)))


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A set of 400 short clips of four labels, rare and frequent, and its shards."""
    root = tmp_path_factory.mktemp("many")
    tone = 0.3 * np.sin(np.arange(4000) / 5)
    clips = []
    labels = {"bell": (0, 60), "drum": (60, 140), "horn": (140, 260), "siren": (260, 400)}
    for label, numbers in labels.items():
        for number in range(*numbers):
            clips.append(Clip(f"{number}.wav", label, f"a {label} rings", 0.5, "train"))
            soundfile.write(root / f"{number}.wav", tone, 8000)
    write_manifest(root / "train.csv", clips)
    write_shards(root, root, clips_per_shard=12)
    return root


def test_an_epoch_sees_as_many_clips_as_one_of_files(many, monkeypatch):
    """Within 5 %, for any number of workers, that hold half of the shards in memory."""
    settings = {"sample_rate": 8000, "num_samples": 3200, "num_sources": 1, "epoch_size": 100}
    half = 200 * (many / "0.wav").stat().st_size

    def seen(data, num_workers=1) -> float:
        """Distinct clips of an epoch, in the mean of four."""
        found = set()
        for data.epoch in range(4):
            for worker in range(num_workers):
                place = 0, 1, worker, num_workers
                monkeypatch.setattr(wds.utils, "pytorch_worker_info", lambda p=place: p)
                found |= {(data.epoch, path) for example in data for path in example.clips}
        return len(found) / 4

    expected = pytest.approx(seen(LabelledMixtures(many / "train.csv", **settings)), rel=0.05)
    for workers in (1, 3, 8):
        data = ShardedMixtures(f"{many}/train-*.tar", memory=half // workers, **settings)
        assert seen(data, workers) == expected, workers


def test_clips_with_captions_come_from_shards(many):
    """With memory for a tenth of them; examples are like those of files."""
    builder = CaptionedBuilder(sample_rate=8000, num_samples=3200, num_absent=2)
    size = (many / "0.wav").stat().st_size
    data = ShardedMixtures(f"{many}/train-*.tar", builder=builder, epoch_size=60, memory=60 * size)
    files = CaptionedMixtures(many / "train.csv", sample_rate=8000, num_samples=3200, num_absent=2)
    ours, theirs = list(data), files[0]
    assert len(ours) == 60 and len({path for example in ours for path in example.clips}) > 65
    for example in ours:
        assert example.mixtures.shape == theirs.mixtures.shape
        assert example.captions[0] != example.captions[1]
        words = [*example.captions, *example.absent]
        assert len({text.split()[1] for text in words}) == 4  # distinct sounds
        assert len(example.phrases[0]) == len(theirs.phrases[0]) == 3


def test_only_some_clips_are_used(many):
    only = {f"{number}.wav" for number in range(0, 300, 2)}
    with_all, some = (
        ShardedMixtures(
            f"{many}/train-*.tar",
            only=wanted,
            num_sources=1,
            epoch_size=80,
            sample_rate=8000,
            num_samples=800,
        )
        for wanted in (None, only)
    )
    rows = {clip.where: clip.clip.path for clip in read_shards(find_shards(f"{many}/train-*.tar"))}
    used = [{rows[path] for example in data for path in example.clips} for data in (with_all, some)]
    assert not used[0] <= only and used[1] <= only


def test_too_few_shards_or_labels(shards):
    with pytest.raises(ValueError, match="Expected at least 10 labels.*a worker holds.*has 8"):
        list(mixtures(shards, num_sources=5))
    with pytest.raises(ValueError, match="each of 5 workers.*has 4.*write smaller shards"):
        mixtures(shards)._own_shards(0, 5)
    with pytest.raises(ValueError, match="Expected at least one source"):
        mixtures(shards, num_sources=0)


def test_crops_from_the_middle(own_tone_set, tmp_path):
    """Each clip sounds in its middle quarter alone."""
    for path in own_tone_set.root.glob("solo/audio/*/train*.wav"):
        wav, rate = soundfile.read(path)
        wav[:6000] = wav[10_000:] = 0
        soundfile.write(path, wav, rate)
    write_shards(own_tone_set.root, tmp_path)
    for example in mixtures(f"{tmp_path}/train-*.tar", center_crop=True):
        assert example.mixtures.unfold(-1, 400, 400).square().mean(-1).min() > 1e-5


@pytest.mark.parametrize("taken", [1, 2, 3])
@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_epoch_goes_on_in_its_middle(shards, taken, num_workers):
    data = mixtures(shards, epoch_size=12, batch_size=3, num_sources=1)
    loader = DataLoader(data, batch_size=3, collate_fn=collate, num_workers=num_workers)
    expected = [batch.mixtures for batch in loader]
    data.start = 3 * taken
    found = [batch.mixtures for batch in loader]
    assert len(found) == 4 - taken
    assert all(map(torch.equal, found, expected[taken:]))
