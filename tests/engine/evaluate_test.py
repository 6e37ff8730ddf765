import numpy as np
import pytest
import torch
from torch import nn

from asteroid_bimodal.data.batches import UnusableClipsError
from asteroid_bimodal.data.datasets import PinnedMixtures
from asteroid_bimodal.engine.evaluate import evaluate
from asteroid_bimodal.queries import QueryEncoder


class Oracle(nn.Module):
    """Knows the tones: keeps the band of frequencies around the one that a query names."""

    sample_rate, device, query_encoder = 8000, "cpu", QueryEncoder()

    def __init__(self, tones):
        super().__init__()
        self.tones, self.batches = tones, []
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, wavs, queries):
        assert not self.training and not torch.is_grad_enabled()
        self.batches.append(len(wavs))
        spectra = torch.fft.rfft(wavs)
        hertz = torch.fft.rfftfreq(wavs.shape[-1], 1 / self.sample_rate)
        rows = []
        for spectrum, texts in zip(spectra, queries, strict=True):
            tones = [self.tones[text.removeprefix("The sound of ")] for text in texts]
            masks = torch.stack([(hertz - tone).abs() < 50 for tone in tones])
            rows.append(torch.fft.irfft(spectrum * masks, n=wavs.shape[-1]))
        return torch.stack(rows)


def pinned(tone_set):
    (path,) = (tone_set.root / "lists").glob("test_2src_*.csv")
    return PinnedMixtures(path, tone_set.root, sample_rate=8000, num_samples=8000)


def test_an_oracle_scores_high(tone_set):
    result = evaluate(Oracle(tone_set.tones), pinned(tone_set))
    assert [(row["item"], row["source"]) for row in result.rows] == [
        (item, source) for item in range(3) for source in range(2)
    ]
    assert all(row["si_sdr"] > 30 and row["si_sdr_imp"] > 20 for row in result.rows)
    assert all(row["phrase"] == f"The sound of {row['label']}" for row in result.rows)
    assert not result.skipped and not result.examples


@pytest.mark.parametrize("rate", [11025, 32000])
def test_a_model_of_another_rate_is_scored_at_that_of_the_list(tone_set, rate):
    model = Oracle(tone_set.tones)
    model.sample_rate = rate
    result = evaluate(model, pinned(tone_set), num_examples=1)
    assert all(row["si_sdr"] > 25 for row in result.rows)
    assert result.examples[0].estimates.shape == (2, 8000)


def test_a_model_that_swaps_scores_low(tone_set):
    class Swapped(Oracle):
        def forward(self, wavs, queries):
            return super().forward(wavs, queries).flip(1)

    assert all(row["sdr"] < -5 for row in evaluate(Swapped(tone_set.tones), pinned(tone_set)).rows)


@pytest.mark.parametrize(("batch_size", "batches"), [(1, [1, 1, 1]), (2, [2, 1]), (8, [3])])
def test_batches_change_nothing(tone_set, batch_size, batches):
    model = Oracle(tone_set.tones)
    result = evaluate(model, pinned(tone_set), batch_size=batch_size)
    assert model.batches == batches
    expected = evaluate(Oracle(tone_set.tones), pinned(tone_set), batch_size=3)
    assert [row["sdr"] for row in result.rows] == pytest.approx(
        [row["sdr"] for row in expected.rows], abs=1e-3
    )


def test_examples_are_kept(tone_set):
    result = evaluate(Oracle(tone_set.tones), pinned(tone_set), num_examples=2)
    assert [example.item.item for example in result.examples] == [0, 1]
    assert result.examples[0].estimates.shape == (2, 8000)


def test_an_unreadable_item_is_reported_and_not_scored(own_tone_set):
    items = pinned(own_tone_set)
    source = items.items[1].sources[1]
    (own_tone_set.root / source.path).write_bytes(np.zeros(3).tobytes())
    unreadable = {
        item.item for item in items.items if source.path in {s.path for s in item.sources}
    }
    result = evaluate(Oracle(own_tone_set.tones), items, batch_size=2, max_skipped=1)
    assert {skip.path for skip in result.skipped} == {source.path}
    assert {row["item"] for row in result.rows} == {0, 1, 2} - unreadable


def test_the_summary_names_the_list_and_what_is_missing(own_tone_set):
    items = pinned(own_tone_set)
    source = items.items[1].sources[1]
    (own_tone_set.root / source.path).unlink()
    missing = [i.item for i in items.items if source.path in {s.path for s in i.sources}]
    summary = evaluate(Oracle(own_tone_set.tones), items, max_skipped=1).summary()
    (path,) = (own_tone_set.root / "lists").glob("test_2src_*.csv")
    expected = {"name": path.name, "items": 3, "missing": len(missing), "missing_items": missing}
    assert summary["list"] == expected and summary["test_list"] == path.name
    assert summary["n_items"] == 3 - len(missing)
    assert summary["n_skipped"] == len(missing) and summary["skipped"][0]["item"] == source.path
    assert "does not exist" in summary["skipped"][0]["reason"]


def test_a_list_without_any_readable_item(own_tone_set):
    for path in own_tone_set.root.glob("solo/audio/*/test*.wav"):
        path.unlink()
    with pytest.raises(UnusableClipsError, match="3 of the 3 items of test_2src.*does not exist"):
        evaluate(Oracle(own_tone_set.tones), pinned(own_tone_set), max_skipped=1)


@pytest.mark.parametrize("allowed", [0, 1])
def test_too_many_unusable_items(own_tone_set, allowed):
    items, model = pinned(own_tone_set), Oracle(own_tone_set.tones)
    source = items.items[0].sources[1]
    (own_tone_set.root / source.path).unlink()
    missing = sum(source.path in {s.path for s in item.sources} for item in items.items)
    most = (missing - 1 + allowed) / 3
    if allowed:
        assert len(evaluate(model, items, max_skipped=most).missing) == missing
    else:
        found = f"{missing} of the 3 items .* data.max_skipped allows .*does not exist"
        with pytest.raises(UnusableClipsError, match=found) as raised:
            evaluate(model, items, max_skipped=most)
        assert len(raised.value.skipped) == missing and not model.batches


def test_phrases_may_share_their_mixture(tone_set):
    class Asked(Oracle):
        def forward(self, wavs, queries, *, share=False):
            self.shared = share
            return super().forward(wavs, queries)

    model = Asked(tone_set.tones)
    evaluate(model, pinned(tone_set))
    assert not model.shared
    evaluate(model, pinned(tone_set), share=True)
    assert model.shared
