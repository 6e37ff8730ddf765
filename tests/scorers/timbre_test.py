import pytest
import torch

from asteroid_bimodal.scorers import TimbreClassifier

LABELS = ["flute", "tuba", "violin"]


def build(**changes):
    torch.manual_seed(0)
    return TimbreClassifier(**{"labels": LABELS, "num_freqs": 9, "channels": 4, **changes})


def test_level_is_taken_out():
    classifier, magnitude = build(), torch.rand(2, 9, 30) + 0.1
    torch.testing.assert_close(classifier(1000 * magnitude), classifier(magnitude))


def test_silence_is_finite():
    silence = torch.zeros(1, 9, 30, requires_grad=True)
    logits = build()(silence)
    logits.sum().backward()
    assert torch.isfinite(logits).all() and torch.isfinite(silence.grad).all()


@pytest.mark.parametrize("frames", [1, 7])
def test_any_number_of_frames(frames):
    assert build()(torch.rand(2, 9, frames)).shape == (2, 3)


def test_saved_and_loaded(tmp_path):
    classifier = build(num_layers=1)
    classifier.save(tmp_path / "timbre.safetensors")
    loaded = TimbreClassifier.load(tmp_path / "timbre.safetensors")
    assert loaded.labels == LABELS and not loaded.training
    magnitude = torch.rand(2, 9, 5)
    torch.testing.assert_close(loaded(magnitude), classifier(magnitude))


def test_what_is_no_classifier_is_refused(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"no")
    for name in ("x.safetensors", "missing.safetensors"):
        with pytest.raises(ValueError, match="Expected a timbre classifier at .* Run stage 2"):
            TimbreClassifier.load(tmp_path / name)


@pytest.mark.parametrize("shape", [(9, 5), (2, 8, 5)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"Expected magnitudes \(M, 9, T\), received"):
        build()(torch.rand(shape))


def test_a_classifier_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one label"):
        build(labels=[])
