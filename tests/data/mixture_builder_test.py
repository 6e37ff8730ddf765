import pytest
import torch

from asteroid_bimodal.data.crops import Crop
from asteroid_bimodal.data.mixture_builder import MixtureBuilder, draw_gains, mix
from asteroid_bimodal.queries.vocabulary import Vocabulary


def test_known_answer():
    clips = torch.tensor([[[0.5, -0.25], [1.0, 0.5]], [[0.25, 0.0], [0.75, -1.0]]])
    gains = torch.tensor([[1.0, 2.0], [0.5, 1.0]])
    mixed = mix(clips, gains)
    # The second clip is clipped at ±1 after its gain; everything is divided by N * P = 4.
    expected = torch.tensor([[[0.5, -0.25], [1.0, 1.0]], [[0.125, 0.0], [0.75, -1.0]]]) / 4
    torch.testing.assert_close(mixed.parts, expected)
    torch.testing.assert_close(mixed.mixtures, torch.tensor([[0.375, 0.1875], [0.21875, -0.25]]))
    torch.testing.assert_close(mixed.mixture, torch.tensor([0.59375, -0.0625]))


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (2, 1), (2, 2), (2, 3), (3, 3)])
def test_parts_add_up_exactly(shape):
    generator = torch.Generator().manual_seed(0)
    clips = torch.randn(*shape, 1000, generator=generator)
    mixed = mix(clips, draw_gains(shape, 0.5, 1.5, generator))
    assert torch.equal(mixed.parts.sum(1), mixed.mixtures)
    assert torch.equal(mixed.mixtures.sum(0), mixed.mixture)
    assert mixed.mixture.abs().max() <= 1


def test_leaves_its_input_alone():
    clips, gains = torch.randn(2, 2, 100) * 3, torch.full((2, 2), 1.5)
    before = clips.clone(), gains.clone()
    mixed = mix(clips, gains)
    mixed.parts.zero_()
    assert torch.equal(clips, before[0]) and torch.equal(gains, before[1])


def test_mixture_is_the_mean_of_its_clips():
    clips = torch.rand(2, 3, 50) * 2 - 1
    mixed = mix(clips, torch.ones(2, 3))
    torch.testing.assert_close(mixed.mixture, clips.mean(dim=(0, 1)))


@pytest.mark.parametrize("gains", [torch.ones(2), torch.ones(2, 3), torch.ones(3, 2)])
def test_gains_have_to_fit(gains):
    with pytest.raises(ValueError, match=r"Expected clips of shape \(N, P, T\).*\(2, 2, 10\)"):
        mix(torch.zeros(2, 2, 10), gains)


def test_gains_are_uniform_and_reproducible():
    gains = draw_gains((10_000,), 0.5, 1.5, torch.Generator().manual_seed(1))
    again = draw_gains((10_000,), 0.5, 1.5, torch.Generator().manual_seed(1))
    assert torch.equal(gains, again)
    assert 0.5 <= gains.min() < 0.501 and 1.499 < gains.max() <= 1.5
    assert gains.mean().item() == pytest.approx(1.0, abs=0.01)


def test_a_vocabulary_gives_words_and_kinds():
    kinds = {"instruments": {"violin": ["fiddle"], "flute": []}, "events": {"dog": [], "rain": []}}
    builder = MixtureBuilder(
        sample_rate=8000, num_samples=10, num_sources=1, vocabulary=Vocabulary(kinds), one_kind=1.0
    )
    crops = [Crop(torch.ones(10), label) for label in ("violin", "flute")]
    generator = torch.Generator().manual_seed(0)
    phrases = {builder.build(crops, [], generator).captions[0] for _ in range(20)}
    assert phrases == {"The sound of violin", "The sound of fiddle"}
    pairs = {
        tuple(builder._of_one_kind(["dog", "flute", "rain", "violin"], generator))
        for _ in range(20)
    }
    assert pairs == {("dog", "rain"), ("flute", "violin")}
    with pytest.raises(ValueError, match="vocabulary"):
        MixtureBuilder(sample_rate=8000, num_samples=10, one_kind=0.5)
