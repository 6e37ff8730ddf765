import pytest
import torch

from asteroid_bimodal.queries import (
    ClapTextEncoder,
    EmbeddingCache,
    EncodedQuery,
    QueryEmbedding,
    concat_queries,
    mean_query,
)


def embedding(batch=2, queries=3, length=4, seed=0, dim=5, pooled=6, unit=True):
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(batch, queries, pooled, generator=generator)
    mask = torch.rand(batch, queries, length, generator=generator) > 0.3
    return QueryEmbedding(
        tokens=torch.randn(batch, queries, length, dim, generator=generator),
        mask=mask,
        pooled=vectors / vectors.norm(dim=-1, keepdim=True) if unit else vectors,
    )


def test_the_mean_of_unit_vectors_is_one():
    one, two = embedding(length=4), embedding(length=2, seed=1)
    mean = mean_query([one, two], [3.0, 1.0])
    expected = 0.75 * one.pooled + 0.25 * two.pooled
    torch.testing.assert_close(mean.pooled, expected / expected.norm(dim=-1, keepdim=True))
    assert torch.equal(mean.tokens[:, :, :4], one.tokens)
    assert torch.equal(mean.tokens[:, :, 4:], two.tokens)
    assert torch.equal(mean.mask[:, :, 4:], two.mask)


def test_the_mean_of_other_vectors_keeps_its_length():
    one, two = embedding(unit=False), embedding(seed=1, unit=False)
    torch.testing.assert_close(mean_query([one, two]).pooled, (one.pooled + two.pooled) / 2)


def test_a_query_alone_is_itself():
    one = embedding()
    mean = mean_query([one, embedding(seed=1)], [2.0, 0.0])
    torch.testing.assert_close(mean.pooled, one.pooled)
    assert torch.equal(mean.tokens, one.tokens) and torch.equal(mean.mask, one.mask)


def test_opposite_queries_have_a_mean():
    one = embedding()
    other = QueryEmbedding(one.tokens, one.mask, -one.pooled)
    assert torch.isfinite(mean_query([one, other]).pooled).all()


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, float("nan")]])
def test_bad_weights(weights):
    with pytest.raises(ValueError, match="Expected 2 weights"):
        mean_query([embedding(), embedding()], weights)


def test_queries_one_after_another():
    one, two = embedding(queries=1, length=2), embedding(queries=2, length=4, seed=1)
    both = concat_queries([one, two])
    assert both.num_queries == 3 and both.tokens.shape == (2, 3, 4, 5)
    assert torch.equal(both.tokens[:, :1, :2], one.tokens) and not both.mask[:, :1, 2:].any()
    assert torch.equal(both.tokens[:, 1:], two.tokens)
    assert torch.equal(both.pooled, torch.cat([one.pooled, two.pooled], dim=1))


def test_one_pass_is_as_good_as_two():
    encoder = ClapTextEncoder("mini")
    texts = ["violin", "The sound mixture of violin and acoustic guitar"]
    both = concat_queries([encoder([[text]]) for text in texts])
    expected = encoder([texts])
    for part in ("tokens", "mask", "pooled"):
        assert torch.equal(getattr(both, part), getattr(expected, part))


@pytest.mark.parametrize(
    "other", [embedding(batch=1), embedding(dim=7), embedding(pooled=7), embedding(queries=2)]
)
def test_parts_that_do_not_fit(other):
    with pytest.raises(ValueError, match="all of the same B, D and E and Q"):
        mean_query([embedding(), other])
    if other.num_queries == 3:
        with pytest.raises(ValueError, match="Use encoders of one family"):
            concat_queries([embedding(), other])


def test_no_parts():
    for compose in (mean_query, concat_queries):
        with pytest.raises(ValueError, match="at least one query embedding"):
            compose([])


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


def test_what_was_loaded_is_kept_whatever_follows(tmp_path):
    filled(violin=item(2, 0.5), flute=item(4, 0.25)).save(tmp_path / "e.safetensors", "me")
    cache = EmbeddingCache(max_items=2)
    cache.put("violin", item(1))
    cache.load(tmp_path / "e.safetensors", "me")
    for number in range(5):
        cache.put(number, item(1))
    cache.put("flute", item(3))
    assert len(cache.get("violin").mask) == 2 and len(cache.get("flute").mask) == 3
    assert [key for key, _ in cache.items()] == ["violin", "flute", 3, 4] and len(cache) == 4


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
