import shutil
from dataclasses import replace

import pytest
import torch

from asteroid_bimodal.data.manifest import read_manifest, take_share, write_manifest
from asteroid_bimodal.data.shards import find_shards, read_shards, write_shards
from asteroid_bimodal.engine import loaders
from asteroid_bimodal.engine.loaders import (
    build_train_loader,
    build_valid_loader,
    find_test_list,
)
from asteroid_bimodal.engine.train import train

pytest.importorskip("webdataset")


@pytest.fixture(scope="module")
def shards(tone_set, tmp_path_factory):
    out = tmp_path_factory.mktemp("shards")
    write_shards(tone_set.root, out, clips_per_shard=4)
    return f"{out}/train-*.tar"


def test_batches_from_shards_are_like_those_from_files(tone_set, shards, tiny_conf):
    loader = build_train_loader(tiny_conf(tone_set, **{"data.shards": shards}))
    ours, theirs = list(loader), list(build_train_loader(tiny_conf(tone_set)))
    assert [batch.mixtures.shape for batch in ours] == [batch.mixtures.shape for batch in theirs]
    again = next(iter(loader))
    assert torch.equal(again.mixtures, ours[0].mixtures) and again.phrases == ours[0].phrases


def test_patterns_are_relative_to_the_data_set(own_tone_set, tiny_conf):
    write_shards(own_tone_set.root, own_tone_set.root / "shards")
    conf = tiny_conf(own_tone_set, **{"data.shards": "shards/train-*.tar"})
    assert len(list(build_train_loader(conf))) == 2


def test_workers_lose_no_batch(tone_set, shards, tiny_conf):
    conf = tiny_conf(
        tone_set, **{"data.shards": shards, "data.num_workers": 2, "training.batch_size": 4}
    )
    assert [len(batch.mixtures) for batch in build_train_loader(conf)] == [4]


@pytest.mark.parametrize("sharded", [False, True])
def test_an_epoch_of_no_batch(tone_set, shards, tiny_conf, sharded):
    changes = {"training.batch_size": 5} | ({"data.shards": shards} if sharded else {})
    with pytest.raises(ValueError, match="epoch of 4 examples does not fill a batch of 5"):
        build_train_loader(tiny_conf(tone_set, **changes))


class _Items:
    """Ten validation items."""

    def __init__(self):
        self.items = list(range(10))

    def __len__(self):
        return len(self.items)


@pytest.mark.parametrize(("limit", "expected"), [(1, 8), (0.5, 5), (0.01, 1)])
def test_a_part_of_the_validation_list(tone_set, tiny_conf, monkeypatch, limit, expected):
    monkeypatch.setattr(loaders, "build_test_set", lambda *_: _Items())
    loader = build_valid_loader(tiny_conf(tone_set, **{"training.limit_val_batches": limit}))
    assert len(loader.dataset) == expected


def test_lists_of_which_there_are_two(own_tone_set):
    (path,) = (own_tone_set.root / "lists").glob("test_2src_*.csv")
    shutil.copy(path, path.with_name("test_2src_seed1_0.csv"))
    with pytest.raises(FileNotFoundError, match="found 2. Keep the one that you mean"):
        find_test_list(own_tone_set.root, "test", 2)


def paths_of(shards, batches) -> set[str]:
    """The files that the clips of batches were before they were in shards."""
    rows = {stored.where: stored.clip.path for stored in read_shards(find_shards(shards))}
    return {rows[place] for batch in batches for row in batch.clips for place in row}


@pytest.mark.parametrize("num_workers", [0, 1])
def test_single_sources_and_mixtures_from_the_same_shards(tone_set, shards, tiny_conf, num_workers):
    changes = {"data.shards": shards, "data.clean.share": 0.5, "data.num_workers": num_workers}
    changes["data.n_src"] = 1
    batches = list(build_train_loader(tiny_conf(tone_set, "bimodal_semi", **changes)))
    assert len(batches) == 2
    clips = read_manifest(tone_set.root / "train.csv")
    parts = [{clip.path for clip in take_share(clips, part)} for part in ((0.5, 1), (0, 0.5))]
    found = [[batch.mixed for batch in batches], [batch.clean for batch in batches]]
    for part, these in zip(parts, found, strict=True):
        assert paths_of(shards, these) <= part


def test_frames_from_shards(tone_set, tiny_conf, tmp_path):
    write_shards(tone_set.root, tmp_path, frames=True)
    changes = {"data.shards": f"{tmp_path}/train-*.tar", "data.num_workers": 1}
    best = train(tiny_conf(tone_set, "clipsep_img", **changes), tmp_path / "exp")
    assert best.is_file()


def test_shards_of_another_set(tone_set, own_tone_set, shards, tiny_conf):
    changes = {"data.clean.share": 1, "data.clean.root": own_tone_set.root, "data.shards": shards}
    with pytest.raises(ValueError, match="of both sets or of none"):
        build_train_loader(tiny_conf(tone_set, "bimodal_semi", **changes))
    write_shards(own_tone_set.root, own_tone_set.root / "shards")
    changes["data.clean.shards"] = "shards/train-*.tar"
    for batch in build_train_loader(tiny_conf(tone_set, "bimodal_semi", **changes)):
        assert batch.mixed.mixtures.shape[0] == batch.clean.mixtures.shape[0] == 2


def test_single_sources_of_another_set_are_none_that_this_one_is_tested_with(
    tone_set, own_tone_set, tiny_conf
):
    train, test = (own_tone_set.root / f"{split}.csv" for split in ("train", "test"))
    ours = read_manifest(train)
    write_manifest(train, [*ours, *(replace(c, split="train") for c in read_manifest(test))])
    conf = tiny_conf(tone_set, **{"data.clean.share": 1, "data.clean.root": own_tone_set.root})
    singles = build_train_loader(conf).dataset.clean
    assert sorted(c.path for group in singles.source.by_label.values() for c in group) == sorted(
        clip.path for clip in ours
    )


def test_a_set_that_is_named_as_its_own_clean_set_is_still_shared_out(own_tone_set, tiny_conf):
    same = f"{own_tone_set.root}/../{own_tone_set.root.name}"
    conf = tiny_conf(own_tone_set, **{"data.clean.share": 0.5, "data.clean.root": same})
    dataset = build_train_loader(conf).dataset
    mixed, clean = (
        {clip.path for group in part.source.by_label.values() for clip in group}
        for part in (dataset.mixed, dataset.clean)
    )
    assert mixed and clean and not mixed & clean


def test_training_from_shards(tone_set, shards, tiny_conf, tmp_path):
    changes = {"data.shards": shards, "data.num_workers": 1, "training.epochs": 2}
    conf = tiny_conf(tone_set, "clapsep", **changes)
    assert train(conf, tmp_path / "exp").is_file()
    assert (tmp_path / "exp/skipped.csv").read_text() == "path,reason,times\n"


def test_the_batches_of_two_devices_are_those_of_one(tone_set, tiny_conf):
    changes = {"data.epoch_size": 8, "training.batch_size": 4}
    whole = [batch.clips for batch in build_train_loader(tiny_conf(tone_set, **changes))]
    shares = []
    for rank in range(2):
        loader = build_train_loader(tiny_conf(tone_set, **changes, **{"training.devices": 2}))
        loader.sampler.share(rank, 2)
        shares.append([batch.clips for batch in loader])
    for together, first, second in zip(whole, *shares, strict=True):
        assert [first[0], second[0], first[1], second[1]] == together
