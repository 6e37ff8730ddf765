"""Published checkpoints become folders of this package, each recognised by its weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from laion_clap import as_laion, tiny_clap
from published_weights import small_audiosep

from asteroid_bimodal.models import AudioSep, BiModalUNet, load_separator
from asteroid_bimodal.models.official_clap import PREFIXES
from asteroid_bimodal.models.published import import_published, read_published
from asteroid_bimodal.utils.clap import MINI

RELEASE = Path(__file__).parents[1] / "fixtures/release/checkpoint_small.pth.tar"
SIZES = {"sample_rate": 8000, "hop_length": 40}


@pytest.fixture(scope="module")
def audiosep(tmp_path_factory):
    """A small AudioSep with its CLAP, as one file."""
    clap = {PREFIXES[1] + name: value for name, value in as_laion(tiny_clap()).items()}
    path = tmp_path_factory.mktemp("audiosep") / "audiosep.ckpt"
    torch.save({"state_dict": {**small_audiosep(pooled_dim=12), **clap}}, path)
    return path


def test_audiosep_becomes_a_folder_that_words_can_ask(audiosep, tmp_path):
    import_published(audiosep, tmp_path / "out", tokenizer=MINI, **SIZES)
    (tmp_path / "out").rename(tmp_path / "moved")
    model = load_separator(tmp_path / "moved")
    assert type(model) is AudioSep and model.origin == "AudioSep (audiosep.ckpt)"
    wav = torch.randn(2, 4000)
    result = model.separate(wav[:, None], ["violin", "dog"], sample_rate=8000, residual=True)
    rebuilt = result.estimates.sum(1) + result.residual
    torch.testing.assert_close(rebuilt, wav, atol=1e-5, rtol=0)
    assert (result.estimates[:, 0] - result.estimates[:, 1]).abs().max() > 1e-6


def test_another_query_encoder_may_be_named(audiosep, tmp_path):
    import_published(audiosep, tmp_path / "out", query_encoder="mini", **SIZES)
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == [
        "config.json",
        "model.safetensors",
    ]


def test_the_origin_stays_with_a_model(audiosep, tmp_path):
    read_published(audiosep, **SIZES).save_pretrained(tmp_path)
    load_separator(tmp_path).save_pretrained(tmp_path / "again")
    assert load_separator(tmp_path / "again").origin == "AudioSep (audiosep.ckpt)"
    assert BiModalUNet.from_pretrained("mini").origin is None


def test_an_origin_is_a_text(audiosep, tmp_path):
    model = read_published(audiosep, **SIZES)
    model.origin = {"name": ["AudioSep"]}
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="Expected a text as origin in"):
        load_separator(tmp_path)


def test_the_paper_s_release_is_recognised():
    assert type(read_published(RELEASE, num_heads=8)) is BiModalUNet


def test_nothing_is_written_where_something_is_missing(audiosep, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="tokenizer"):
        import_published(audiosep, out, tokenizer=tmp_path / "none", **SIZES)
    with pytest.raises(ValueError, match="checkpoint of AudioSep, which has no num_heads"):
        import_published(audiosep, out, num_heads=2, **SIZES)
    assert not out.exists()


FILES = {
    "is a CLAP, which reads queries": as_laion(tiny_clap()),
    "no checkpoint of the paper's release, AudioSep, CLIPSep: it has head.weight": {
        "head.weight": torch.ones(1)
    },
    "state_dict": {"state_dict": {"a": "text"}},
}


@pytest.mark.parametrize("message", FILES)
def test_other_files_are_told_what_they_are(message, tmp_path):
    torch.save(FILES[message], tmp_path / "other.pt")
    with pytest.raises(ValueError, match=message):
        import_published(tmp_path / "other.pt", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_file(tmp_path):
    with pytest.raises(ValueError, match="none.ckpt does not exist"):
        read_published(tmp_path / "none.ckpt")
