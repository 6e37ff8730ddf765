import pytest
import torch

from asteroid_bimodal.queries import ClapTextEncoder, QueryEmbedding, concat_queries, mean_query


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
