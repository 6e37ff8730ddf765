"""Checkpoints of laion_clap become the CLAP that they are, without that package."""

import os
import pickle
import re
import zipfile

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, ClapConfig, ClapFeatureExtractor, ClapModel

from asteroid_bimodal.queries import ClapTextEncoder, load_query_encoder
from asteroid_bimodal.scorers import ClapScorer
from asteroid_bimodal.utils.clap import MINI, load_clap
from asteroid_bimodal.utils.laion import read_laion

COUNTERS = ("text_model.embeddings.position_ids", "text_model.embeddings.token_type_ids")
NAMES = (
    (r"^text_model", "text_branch"),
    (r"^audio_model\.audio_encoder\.batch_norm", "audio_branch.bn0"),
    (r"^audio_model\.audio_encoder", "audio_branch"),
    (r"_projection\.linear1", "_projection.0"),
    (r"_projection\.linear2", "_projection.2"),
    (r"^(audio_branch.*)layernorm_before", r"\1norm1"),
    (r"^(audio_branch.*)layernorm_after", r"\1norm2"),
    (r"^(audio_branch.*)attention\.output\.dense", r"\1attn.proj"),
    (r"^(audio_branch.*)attention\.self", r"\1attn"),
    (r"^(audio_branch.*)intermediate\.dense", r"\1mlp.fc1"),
    (r"^(audio_branch.*)output\.dense", r"\1mlp.fc2"),
)


def tiny_clap(fusion=False):
    torch.manual_seed(0)
    audio = {
        "patch_embeds_hidden_size": 4,
        "hidden_size": 8,
        "depths": [1, 2],
        "num_attention_heads": [1, 2],
        **({"enable_fusion": True, "fusion_type": "aff_2d"} if fusion else {}),
    }
    text = {
        "vocab_size": len(load_clap("mini").tokenizer),
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 1,
        "intermediate_size": 16,
        "layer_norm_eps": 1e-5,
    }
    shared = {"projection_dim": 12}
    config = ClapConfig(**shared, audio_config={**audio, **shared}, text_config={**text, **shared})
    return ClapModel(config).eval()


def as_laion(model):
    """The weights in LAION's layout, the inverse of what is tested."""
    state, stacked = {}, {}
    for name, value in model.state_dict().items():
        if name in COUNTERS:
            continue
        for pattern, replacement in NAMES:
            name = re.sub(pattern, replacement, name)
        part = re.fullmatch(r"(audio_branch.*attn\.)(query|key|value)(\..*)", name)
        if part:
            stacked.setdefault(f"{part[1]}qkv{part[3]}", []).append(value)
        else:
            state[name] = value
    state.update({name: torch.cat(values) for name, values in stacked.items()})
    return state


def save(path, model, **extra):
    """Writes what laion_clap's training script does: weights among other things."""
    state = {f"module.{name}": value for name, value in as_laion(model).items()}
    state["module.text_branch.embeddings.position_ids"] = torch.arange(3)
    state["module.audio_transform.sequential.0.weight"] = torch.zeros(12, 12)
    torch.save({"epoch": 15, "name": "x", "state_dict": state, **extra}, path)
    return path


def with_tokenizer(folder):
    AutoTokenizer.from_pretrained(MINI).save_pretrained(folder / "roberta-base")
    return folder


@pytest.mark.parametrize("fusion", [False, True])
def test_every_weight_comes_back(tmp_path, fusion):
    model = tiny_clap(fusion)
    loaded = read_laion(save(tmp_path / "clap.pt", model))
    assert loaded.config.audio_config.enable_fusion == fusion and not loaded.training
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


def test_texts_and_audio_are_embedded_as_by_the_original(tmp_path):
    model = tiny_clap()
    name = f"laion:{save(with_tokenizer(tmp_path) / 'clap.pt', model)}"
    batch = AutoTokenizer.from_pretrained(MINI)("violin", return_tensors="pt")
    wav = 0.1 * torch.randn(2 * 48_000)
    extractor = ClapFeatureExtractor(
        frequency_min=50, frequency_max=14_000, truncation="rand_trunc", padding="repeatpad"
    )
    features = extractor(wav.numpy(), sampling_rate=48_000, return_tensors="pt")["input_features"]
    with torch.no_grad():
        text = model.get_text_features(batch["input_ids"], batch["attention_mask"]).pooler_output
        audio = model.get_audio_features(features).pooler_output
    encoder, scorer = load_query_encoder(name), ClapScorer(name)
    close = {"atol": 1e-4, "rtol": 0}
    torch.testing.assert_close(encoder([["violin"]]).pooled[0], text, **close)
    torch.testing.assert_close(scorer.embed_audio(wav[None], 48_000), audio, **close)
    assert str(encoder.spec) == name and encoder.network is scorer.network
    assert encoder.fingerprint == ClapTextEncoder(name).fingerprint


def test_the_middle_of_a_fusion_models_clip_is_heard(tmp_path):
    name = f"laion:{save(with_tokenizer(tmp_path) / 'clap.pt', tiny_clap(fusion=True))}"
    assert load_clap(name).feature_extractor.truncation == "fusion"
    assert torch.isfinite(ClapScorer(name).embed_audio(torch.randn(1, 9000), 48_000)).all()


def test_scores_beside_the_weights_do_no_harm(tmp_path):
    path = save(tmp_path / "clap.pt", tiny_clap(), best=np.float64(0.9), step=np.int64(3))
    assert read_laion(path).config.projection_dim == 12
    old = tmp_path / "old.pt"  # as NumPy 1 named them
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(old, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            target.writestr(entry, content.replace(b"numpy._core", b"numpy.core"))
    assert b"numpy.core.multiarray" in zipfile.ZipFile(old).read("clap/data.pkl")
    assert read_laion(old).config.projection_dim == 12


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("legacy", [False, True])
def test_nothing_in_a_file_is_run(tmp_path, legacy):
    path, trap = tmp_path / "clap.pt", tmp_path / "trap"
    content = {"state_dict": {}, "args": Harmful(str(trap))}
    if legacy:
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path)
    with pytest.raises(ValueError, match="nothing of it was run"):
        read_laion(path)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {}}, "Expected the weights of LAION's CLAP .* found state_dict"),
        ({}, "found nothing"),
        ({"audio_branch.bn0.weight": torch.zeros(64)}, "found no usable"),
        ([1], "Expected a dictionary"),
    ],
)
def test_what_is_no_clap(tmp_path, content, message):
    torch.save(content, tmp_path / "clap.pt")
    with pytest.raises(ValueError, match=message):
        read_laion(tmp_path / "clap.pt")


def test_a_weight_that_does_not_fit(tmp_path):
    model = tiny_clap()
    laion = as_laion(model)
    laion["audio_branch.bn0.bias"] = torch.zeros(3)
    torch.save(laion, tmp_path / "clap.pt")
    with pytest.raises(ValueError, match=r"batch_norm.bias has shape \(3,\) instead of \(64,\)"):
        read_laion(tmp_path / "clap.pt")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="hf download lukewys/laion_clap x.pt.*'mini'"):
        load_clap(f"laion:{tmp_path / 'x.pt'}")


def test_a_tokenizer_that_cannot_be_had(tmp_path, monkeypatch):
    def unreachable(repo, name):
        raise ConnectionError("no route")

    monkeypatch.setattr("huggingface_hub.file_exists", unreachable)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda repo, name: None)
    path = save(tmp_path / "clap.pt", tiny_clap())
    with pytest.raises(ValueError, match="tokenizer of clap.pt.*hf download roberta-base.*copy it"):
        load_clap(f"laion:{path}")
