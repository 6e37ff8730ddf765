import pytest
import torch

from asteroid_bimodal.queries import EmbeddingCache, EncodedQuery


def item(length, value=1.0):
    return EncodedQuery(
        tokens=torch.full((length, 3), value),
        mask=torch.ones(length, dtype=torch.bool),
        pooled=torch.full((2,), value),
    )


def filled(**items):
    cache = EmbeddingCache()
    for text, value in items.items():
        cache.put(text, value)
    return cache


def test_what_was_saved_is_loaded(tmp_path):
    filled(violin=item(2, 0.5), flute=item(4, 0.25)).save(tmp_path / "e.safetensors", "me")
    cache = EmbeddingCache()
    assert cache.load(tmp_path / "e.safetensors", "me") == 2
    for text, expected in {"violin": item(2, 0.5), "flute": item(4, 0.25)}.items():
        for part, wanted in zip(cache.get(text), expected, strict=True):
            assert torch.equal(part, wanted)


def test_the_least_recently_used_goes_first():
    cache = EmbeddingCache(max_items=2)
    cache.put("a", item(1))
    cache.put("b", item(1))
    cache.get("a")
    cache.put("c", item(1))
    assert cache.get("b") is None and cache.get("a") and cache.get("c")


def test_another_encoders_embeddings_are_not_used(tmp_path):
    filled(violin=item(2)).save(tmp_path / "e.safetensors", "me")
    with pytest.warns(UserWarning, match="another encoder's"):
        assert EmbeddingCache().load(tmp_path / "e.safetensors", "you") == 0


def test_a_broken_file_is_no_reason_to_stop(tmp_path):
    (tmp_path / "e.safetensors").write_bytes(b"broken")
    with pytest.warns(UserWarning, match="broken"):
        assert EmbeddingCache().load(tmp_path / "e.safetensors", "me") == 0


def test_a_missing_file_is_silently_empty(tmp_path):
    assert EmbeddingCache().load(tmp_path / "none.safetensors", "me") == 0


def test_bad_use(tmp_path):
    with pytest.raises(ValueError, match="at least 1 item"):
        EmbeddingCache(max_items=0)
    with pytest.raises(ValueError, match="at least one embedding"):
        EmbeddingCache().save(tmp_path / "e.safetensors", "me")
