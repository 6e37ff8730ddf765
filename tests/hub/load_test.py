"""A model is found by name, and a wrong name or device is one sentence."""

from __future__ import annotations

import pytest
import torch

from asteroid_bimodal.hub import load_model
from asteroid_bimodal.models import BiModalUNet


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return BiModalUNet(
        8000, 126, 32, None, cond_dim=6, pooled_dim=4, num_downs=5, ngf=2, out_dim=4, num_heads=2
    )


def test_experiment_folder_saved_folder_and_file_give_the_same_model(model, tmp_path):
    experiment, saved = tmp_path / "exp", tmp_path / "saved"
    experiment.mkdir()
    torch.save(model.serialize(), experiment / "best_model.pth")
    model.save_pretrained(saved)
    for name in (experiment, str(saved), experiment / "best_model.pth"):
        loaded = load_model(name, "cpu")
        assert not loaded.training
        for key, value in model.state_dict().items():
            torch.testing.assert_close(loaded.state_dict()[key], value, rtol=0, atol=0)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta", ""])
def test_device_that_is_not_there_is_refused_before_the_model_is_looked_for(device):
    with pytest.raises(ValueError, match="There is no device .* here. Available: cpu"):
        load_model("no/such model", device)


def test_missing_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no such model"):
        load_model("no such model")
    with pytest.raises(ValueError, match="best_model.pth"):
        load_model(tmp_path)
