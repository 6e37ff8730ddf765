"""The paper's configuration takes a real training step, with a CLAP of the real size."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, ClapConfig, ClapFeatureExtractor, ClapModel

from asteroid_bimodal.data.batches import collate
from asteroid_bimodal.engine.build import build_system, count_parameters
from asteroid_bimodal.engine.recipe import recipe_conf
from asteroid_bimodal.utils.clap import MINI

RECIPE = Path(__file__).parents[2] / "egs" / "music"


@pytest.fixture(scope="module")
def full_size_clap(tmp_path_factory):
    """CLAP's own architecture with random weights; its tokenizer is the mini's, to stay offline."""
    folder = tmp_path_factory.mktemp("clap")
    tokenizer = AutoTokenizer.from_pretrained(MINI)
    text = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    torch.manual_seed(0)
    clap = ClapModel(ClapConfig(text_config=text))
    assert clap.config.text_config.hidden_size == 768
    assert clap.config.projection_dim == 512
    for part in (clap, tokenizer, ClapFeatureExtractor(truncation="rand_trunc")):
        part.save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_one_training_step_of_the_papers_configuration(own_tone_set, full_size_clap):
    values = {
        "data.root": own_tone_set.root,
        "data.num_workers": 0,
        "data.epoch_size": 1,
        "training.batch_size": 1,
        "query.encoder": full_size_clap,
        "scorer.name": full_size_clap,
    }
    options = [text for key, value in values.items() for text in (f"--{key}", str(value))]
    system = build_system(recipe_conf(RECIPE, ["--data", "full", *options])).train()
    # The weights of the release, less the 3 072 that it never uses.
    assert count_parameters(system.model) == 87_694_627
    batch = collate([system.train_loader.dataset[0]])
    assert batch.mixtures.shape == (1, 2, 131_070)
    before = {name: value.clone() for name, value in system.model.named_parameters()}
    with torch.autocast("cpu", torch.bfloat16):  # half the memory of single precision
        report = system.common_step(batch, 0)
    assert set(report.terms) == {"url", "crl", "cnt"}
    report.total.backward()
    system.optimizer.step()
    unchanged = [n for n, value in system.model.named_parameters() if torch.equal(value, before[n])]
    assert torch.isfinite(report.total)
    assert not unchanged
