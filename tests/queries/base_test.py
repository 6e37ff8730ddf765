import pytest
import torch

from asteroid_bimodal.queries import EncodedQuery, QueryEmbedding, QueryEncoder


class Letters(QueryEncoder):
    """Tokens are the letters' numbers, pooled is their sum."""

    token_dim = pooled_dim = 1

    def __init__(self):
        super().__init__()
        self.calls = []

    def encode(self, queries):
        self.calls.append(queries)
        codes = [torch.tensor([[float(ord(x))] for x in text]) for text in queries]
        return [EncodedQuery(c, torch.ones(len(c), dtype=torch.bool), c.sum(0)) for c in codes]


def test_every_query_gets_its_own_embedding():
    query = Letters()([["a", "bc"], ["bc", "d"]])
    assert query.tokens.shape == (2, 2, 2, 1)
    assert query.pooled[..., 0].tolist() == [[97, 98 + 99], [98 + 99, 100]]
    assert query.tokens[0, 0, :, 0].tolist() == [97, 0]
    assert query.mask[0, 0].tolist() == [True, False]
    assert torch.equal(query.tokens[0, 1], query.tokens[1, 0])


def test_equal_queries_are_encoded_once_in_a_call_and_across_calls():
    encoder = Letters()
    encoder([["a", "b"], ["a", "a"]])
    encoder([["b", "c"]])
    assert encoder.calls == [["a", "b"], ["c"]]


def test_flatten_and_to():
    query = Letters()([["a", "bc"], ["bc", "d"]])
    flat = query.flatten()
    assert query.num_queries == 2
    assert flat.tokens.shape == (4, 2, 1) and flat.mask.shape == (4, 2)
    assert flat.pooled.shape == (4, 1)
    assert torch.equal(flat.pooled[2], query.pooled[1, 0])
    assert query.to("meta").tokens.device.type == "meta"


@pytest.mark.parametrize(
    "queries",
    ["violin", ["violin"], [], [[]], [["a"], ["a", "b"]], [["a", ""]], [["a", None]], [[" \n"]]],
)
def test_bad_queries(queries):
    expected = "Expected" if queries and queries != [[]] else "There is no query"
    with pytest.raises(ValueError, match=expected):
        Letters()(queries)


def test_a_query_embedding_of_contradicting_shapes():
    with pytest.raises(ValueError, match="Expected tokens"):
        QueryEmbedding(
            tokens=torch.zeros(1, 2, 3, 4),
            mask=torch.ones(1, 2, 9, dtype=torch.bool),
            pooled=torch.zeros(1, 2, 5),
        )


def test_an_encoder_without_encode_says_so():
    with pytest.raises(NotImplementedError, match="QueryEncoder has to define `encode`"):
        QueryEncoder()([["a"]])
