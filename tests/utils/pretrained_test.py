import json

import pytest
import transformers
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from transformers import BertConfig, BertModel
from transformers.utils import logging

from asteroid_bimodal.utils.pretrained import (
    check_tokenizer,
    explained,
    find_model,
    load_network,
    load_tokenizer,
)

TINY = {
    "vocab_size": 8,
    "hidden_size": 4,
    "intermediate_size": 4,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "max_position_embeddings": 4,
}


@pytest.fixture
def hub(monkeypatch):
    """A hub without files; `raises` says how it answers, `asked` what it was asked."""

    class Hub:
        raises: Exception | None = None
        asked: list[str] = []
        cached: str | None = None

    hub = Hub()
    hub.asked = []

    def file_exists(repo, name):
        hub.asked.append(repo)
        if hub.raises is not None:
            raise hub.raises
        return True

    monkeypatch.setattr("huggingface_hub.file_exists", file_exists)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda repo, name: hub.cached)
    return hub


def test_a_folder_is_found_by_any_name_it_has(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    for name in ("model", "./model", tmp_path / "model"):
        assert find_model(name, "user/model") == str(tmp_path / "model")
    assert find_model("user/other", "user/model") == "user/other"


@pytest.mark.parametrize("name", ["./missing", "a/b/c", "", "laion:x.pt"])
def test_neither_a_folder_nor_a_hub_id(name):
    with pytest.raises(ValueError, match="existing folder or a hub id such as 'user/model'"):
        find_model(name, "user/model")


@pytest.mark.parametrize("error", [OfflineModeIsEnabled("offline"), ConnectionError("no route")])
def test_an_unreachable_hub_is_asked_once_and_the_block_not_run(hub, error):
    hub.raises = error
    with pytest.raises(ValueError, match="hf download user/clip.*folder of a copy, or 'mini'"):
        with explained("user/clip", "a CLIP", "'mini'"):
            raise AssertionError("it was run")
    assert hub.asked == ["user/clip"]


def test_an_unreachable_address_is_not_waited_for(monkeypatch):
    def sleep(seconds):
        raise AssertionError("it tried again")

    # No name server knows .invalid; the hub's client would try for half a minute.
    monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", "https://hub.invalid")
    monkeypatch.setattr("time.sleep", sleep)
    with pytest.raises(ValueError, match="the hub cannot be reached"):
        with explained("nobody/such-model-0", "a CLIP"):
            raise AssertionError("it was run")


def test_a_hub_that_refuses_is_left_to_transformers(hub):
    response = type("Response", (), {"headers": {}, "request": None, "status_code": 401})()
    hub.raises = HfHubHTTPError("gated", response=response)
    with pytest.raises(ValueError, match="got: you need access"):
        with explained("user/clip", "a CLIP"):
            raise OSError("you need access")


def test_what_is_in_the_cache_needs_no_hub(hub):
    hub.cached, hub.raises = "somewhere/config.json", ConnectionError("no route")
    with explained("user/clip", "a CLIP"):
        pass
    assert hub.asked == []


def test_transformers_is_as_talkative_afterwards_as_before(tmp_path):
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with pytest.raises(ValueError, match="as save_pretrained writes it"):
        with explained(str(tmp_path), "a CLIP"):
            raise RuntimeError("broken")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_a_network_is_loaded_once_and_frozen(tmp_path):
    BertModel(BertConfig(**TINY)).save_pretrained(tmp_path)
    first = load_network("AutoModel", str(tmp_path), ("bert",))
    assert first is load_network("AutoModel", str(tmp_path), ("bert",))
    assert not first.training and not any(p.requires_grad for p in first.parameters())


def test_a_network_without_all_its_weights(tmp_path):
    BertModel(BertConfig(**TINY)).save_pretrained(tmp_path)
    BertConfig(**{**TINY, "num_hidden_layers": 2}).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="no weights for encoder.layer.1"):
        load_network("AutoModel", str(tmp_path))


def test_a_bert_may_come_without_its_pooler(tmp_path):
    BertModel(BertConfig(**TINY), add_pooling_layer=False).save_pretrained(tmp_path)
    assert load_network("AutoModel", str(tmp_path)).config.model_type == "bert"


@pytest.mark.parametrize(("count", "fits"), [(5, False), (90, True), (100, True), (101, False)])
def test_tokenizers_that_can_be_the_models(count, fits):
    tokenizer = range(count)
    if fits:
        assert check_tokenizer("x", tokenizer, 100) is tokenizer
    else:
        with pytest.raises(ValueError, match=f"tokenizer of 100 tokens .*received one of {count}"):
            check_tokenizer("x", tokenizer, 100)


def test_the_class_names_that_are_used_are_there():
    for name in ("AutoModel", "ClapModel", "CLIPModel", "ResNetModel"):
        assert hasattr(transformers, name)


def test_code_that_comes_with_a_tokenizer_is_refused_and_nobody_is_asked(tmp_path, monkeypatch):
    """Unless told, transformers asks at the terminal whether to run it."""
    monkeypatch.setattr("builtins.input", lambda prompt: "y")
    (tmp_path / "config.json").write_text('{"model_type": "unheard-of"}')
    told = {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", None]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(told))
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: pass\n")
    with pytest.raises(ValueError):
        load_tokenizer(str(tmp_path))
    assert not (tmp_path / "ran").exists()
