"""Training a tagger: on what, how it is judged, and that a stopped training goes on as if not."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from asteroid_bimodal.models import LightBiModalUNet, load_separator

sys.path.insert(0, str(Path(__file__).parents[2] / "egs/shipped/local"))

import train_tagger as t  # noqa: E402


@pytest.fixture
def args(monkeypatch):
    monkeypatch.setattr(t, "SAVE_EVERY", 3)
    monkeypatch.setattr(t, "VALID_PAIRS", 4)
    return Namespace(steps=6, batch_size=2, lr=1e-2, channels=2, seed=0)


def separator(labels):
    labels = sorted(labels)
    return LightBiModalUNet(
        sample_rate=8000,
        n_fft=510,
        hop_length=255,
        query_encoder="labels:" + ",".join(labels),
        vocabulary={"tones": {label: [] for label in labels}},
        pooled_dim=len(labels),
        cond_dim=len(labels),
        num_downs=5,
        ngf=2,
        num_heads=2,
    )


def test_a_stopped_training_goes_on_as_if_not(tone_set, args, tmp_path, monkeypatch):
    t.train(separator(tone_set.tones), tone_set.root, tmp_path / "whole", args)
    whole = load_separator(tmp_path / "whole").tagger.state_dict()

    class Stopped(Exception):
        pass

    def stop_after_saving(*_):
        if (tmp_path / "parts/last.ckpt").exists():
            raise Stopped
        return 0.5

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(t, "right_order", stop_after_saving)
        t.train(separator(tone_set.tones), tone_set.root, tmp_path / "parts", args)
    t.train(separator(tone_set.tones), tone_set.root, tmp_path / "parts", args)
    parts = load_separator(tmp_path / "parts").tagger.state_dict()
    assert all(torch.equal(parts[name], value) for name, value in whole.items())


def test_mixtures_hold_what_they_say(monkeypatch):
    """Each label has a band of its own, so that the mixtures tell what is in them."""
    monkeypatch.setattr(t, "WIDEST_BANDS", 1)
    monkeypatch.setattr(t, "LONGEST_FRAMES", 1)
    labels = ["a", "b", "c", "d"]
    clips = {
        label: [torch.full((4, 9), -90.0).index_fill(0, torch.tensor(band), 0.0)]
        for band, label in enumerate(labels)
    }
    args = Namespace(steps=5, batch_size=8, seed=0)
    batches = list(t.Mixtures(clips, labels, frames=6, args=args, begin=0))
    counts = set()
    for mixtures, there in batches:
        loud = mixtures.mean(-1) > 1e-3
        assert torch.equal(loud, there.bool())
        counts |= set(there.sum(1).tolist())
    assert counts == {1, 2, 3}
    later = list(t.Mixtures(clips, labels, frames=6, args=args, begin=3))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(batches[3:], later, strict=True))


def test_right_order_is_the_share_of_pairs():
    logits = torch.tensor([[3.0, 1.0, 2.0, 0.0]])  # there, there, not, not

    class Known(torch.nn.Module):
        def tag(self, mel):
            return logits

    order = t.right_order(Known(), torch.zeros(1, 1, 1), torch.arange(4)[None])
    assert order == 0.75
