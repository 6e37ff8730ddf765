"""The CLAP inside a checkpoint of the release becomes a folder that our scorer reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from laion_clap import COUNTERS, as_laion, tiny_clap
from transformers import ClapConfig, ClapModel

from asteroid_bimodal.models.official_clap import (
    PREFIXES,
    export_scorer,
    read_clap_config,
    rename_clap,
)
from asteroid_bimodal.queries.text import ClapTextEncoder
from asteroid_bimodal.utils.clap import MINI, load_clap

LAYOUT = Path(__file__).parents[1] / "fixtures" / "release" / "key_layout.json"


def save(path, laion):
    state = {f"module.{PREFIXES[0]}{name}": value for name, value in laion.items()}
    state["module.net_clap.model.model.text_branch.embeddings.position_ids"] = torch.arange(3)
    torch.save({"state_dict": state}, path)
    return path


def test_every_weight_of_the_real_one_has_its_place():
    shapes = json.loads(LAYOUT.read_text())["clap_keys"]
    laion = {
        name.removeprefix(f"module.{PREFIXES[0]}"): torch.empty(shape, device="meta")
        for name, shape in shapes.items()
    }
    state = rename_clap(laion)
    config = read_clap_config(state)
    assert config["audio_config"]["depths"] == [2, 2, 12, 2]
    assert config["audio_config"]["num_attention_heads"] == [4, 8, 16, 32]
    assert config["audio_config"]["window_size"] == 8
    assert config["text_config"]["num_attention_heads"] == 12
    with torch.device("meta"):
        expected = ClapModel(ClapConfig(**config)).state_dict()
    assert {name: value.shape for name, value in state.items()} == {
        name: value.shape for name, value in expected.items() if name not in COUNTERS
    }


def test_written_folder_is_the_same_clap(tmp_path):
    clap = tiny_clap()
    checkpoint = save(tmp_path / "model_best.pth.tar", as_laion(clap))
    export_scorer(checkpoint, tmp_path / "new" / "clap", tokenizer=MINI)
    loaded = load_clap(tmp_path / "new" / "clap")
    for name, value in clap.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], value), name
    features = torch.randn(1, 1, 1001, 64)
    torch.testing.assert_close(
        loaded.model.get_audio_features(features).pooler_output,
        clap.get_audio_features(features).pooler_output,
    )
    assert loaded.feature_extractor.frequency_min == 50
    assert ClapTextEncoder(tmp_path / "new" / "clap")([["violin"]]).pooled.shape == (1, 1, 12)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["clap"]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: s.clear(), "found none|no usable"),
        (lambda s: s.pop("audio_branch.bn0.weight"), "audio_encoder.batch_norm.weight"),
        (lambda s: s.pop("audio_branch.bn0.bias"), "batch_norm.bias is missing"),
        (lambda s: s.update({"extra.weight": torch.zeros(1)}), "extra.weight is unexpected"),
        (lambda s: s.update(logit_scale_a=torch.zeros(2)), "logit_scale_a has shape"),
    ],
)
def test_another_clap_is_refused_and_nothing_written(tmp_path, change, message):
    laion = as_laion(tiny_clap())
    change(laion)
    checkpoint = save(tmp_path / "bad.pth.tar", laion)
    with pytest.raises(ValueError, match=message):
        export_scorer(checkpoint, tmp_path / "clap", tokenizer=MINI)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.pth.tar"]


def test_folder_in_use_and_foreign_tokenizer_are_refused(tmp_path):
    laion = as_laion(tiny_clap())
    checkpoint = save(tmp_path / "model.pth.tar", laion)
    with pytest.raises(ValueError, match="Choose another name"):
        export_scorer(checkpoint, tmp_path, tokenizer=MINI)
    with pytest.raises(ValueError, match="Expected CLAP's tokenizer"):
        export_scorer(checkpoint, tmp_path / "clap", tokenizer=tmp_path / "none")
    laion["text_branch.embeddings.word_embeddings.weight"] = torch.zeros(7, 64)
    with pytest.raises(ValueError, match="tokenizer of 7 tokens"):
        export_scorer(save(checkpoint, laion), tmp_path / "clap", tokenizer=MINI)


def test_checkpoint_without_a_clap_is_refused(tmp_path):
    checkpoint = LAYOUT.parent / "checkpoint_small.pth.tar"
    with pytest.raises(ValueError, match="found none"):
        export_scorer(checkpoint, tmp_path / "clap")
