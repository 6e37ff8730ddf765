"""CondUNet: sharing changes nothing, every configuration works, bad input is refused."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from asteroid_bimodal.masknn import CondUNet
from asteroid_bimodal.masknn.cond_levels import COND_LAYERS
from asteroid_bimodal.queries.base import QueryEmbedding

SMALL = dict(out_dim=3, cond_dim=6, pooled_dim=5, num_downs=5, ngf=2, num_heads=2)


def build(**changes):
    torch.manual_seed(0)
    return CondUNet(**{**SMALL, **changes})


def random_query(batch=2, num_queries=3, tokens=4):
    shape = (batch, num_queries, tokens)
    mask = torch.arange(tokens) < torch.randint(1, tokens + 1, shape[:2]).unsqueeze(-1)
    return QueryEmbedding(
        torch.randn(*shape, SMALL["cond_dim"]), mask, torch.randn(*shape[:2], SMALL["pooled_dim"])
    )


def select(query, index):
    return QueryEmbedding(query.tokens[:, index], query.mask[:, index], query.pooled[:, index])


def plain(masker, log_mag, query):
    """The U-Net of one query, layer by layer as in the paper."""
    mask = query.mask.flatten(0, 1) if masker.mask_padding else None
    flat = (query.tokens.flatten(0, 1), mask, query.pooled.flatten(0, 1))
    x, skips = masker.input_norm(log_mag), []
    for level in masker.levels:
        x = level.down(x, *flat)
        skips.append(x)
    x = skips.pop()
    for level in reversed(masker.levels):
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        x = level.up_conv(level.up_res(x))
        if level.up_norm is not None:
            x = torch.cat([skips.pop(), F.relu(level.up_norm(x))], dim=1)
    weights = masker.head.scale * torch.sigmoid(masker.head.weights(flat[2]))
    logits = torch.einsum("bc,bcft->bft", weights, x) + masker.head.bias
    return torch.sigmoid(logits).unsqueeze(1)


@pytest.mark.parametrize("cond_layer", COND_LAYERS)
def test_all_queries_at_once_equal_each_by_itself(cond_layer):
    masker = build(cond_layer=cond_layer, num_res_layers=2, num_cond_blocks=2, num_downs=6).eval()
    log_mag, query = torch.rand(2, 1, 64, 64), random_query()
    masks = masker(log_mag, query)
    assert masks.shape == (2, 3, 64, 64)
    for index in range(3):
        one = select(query, [index])
        torch.testing.assert_close(masks[:, [index]], masker(log_mag, one))
        torch.testing.assert_close(masks[:, [index]], plain(masker, log_mag, one))


def test_one_query_in_training_mode_equals_the_plain_network_with_its_gradients():
    masker, log_mag, query = build().train(), torch.rand(2, 1, 64, 32), random_query(2, 1)
    results = []
    for run in (masker, lambda *args: plain(masker, *args)):
        masker.zero_grad()
        out = run(log_mag, query)
        out.square().mean().backward()
        results.append((out, [p.grad.clone() for p in masker.parameters()]))
    torch.testing.assert_close(results[0], results[1], rtol=1e-4, atol=1e-6)


def test_gradients_of_all_queries_at_once_are_the_sum_of_those_by_themselves():
    masker = build().eval()
    log_mag, query = torch.rand(2, 1, 32, 32), random_query()
    masker(log_mag, query).square().sum().backward()
    at_once = [p.grad.clone() for p in masker.parameters()]
    masker.zero_grad()
    for index in range(3):
        plain(masker, log_mag, select(query, [index])).square().sum().backward()
    alone = [p.grad for p in masker.parameters()]
    torch.testing.assert_close(at_once, alone, rtol=1e-3, atol=1e-5)


def test_what_the_query_does_not_change_runs_once_per_mixture():
    masker, sizes = build(num_downs=6), {}
    for index, level in enumerate(masker.levels):
        level.down_conv.register_forward_hook(
            lambda _m, args, _o, index=index: sizes.update({index: len(args[0])})
        )
    masker(torch.rand(2, 1, 64, 64), random_query())
    assert sizes == {0: 2, 1: 2, 2: 2, 3: 2, 4: 2, 5: 6}


def test_padding_is_not_looked_at_unless_asked_for():
    query = random_query(1, 2, tokens=5)
    mask = torch.tensor([[[1, 1, 1, 0, 0], [1, 0, 0, 0, 0]]]).bool()
    noise = torch.where(mask.unsqueeze(-1), query.tokens, torch.randn_like(query.tokens))
    log_mag = torch.rand(1, 1, 32, 32)
    for mask_padding in (True, False):
        masker = build(mask_padding=mask_padding).eval()
        first, second = (
            masker(log_mag, QueryEmbedding(tokens, mask, query.pooled))
            for tokens in (query.tokens, noise)
        )
        assert torch.equal(first, second) == mask_padding


def test_query_without_a_token_gives_numbers_and_gradients():
    query = random_query(1, 2)
    query = QueryEmbedding(query.tokens, torch.zeros_like(query.mask), query.pooled)
    masker = build()
    masks = masker(torch.rand(2, 1, 64, 64)[:1], query)
    masks.sum().backward()
    assert torch.isfinite(masks).all()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in masker.parameters())


def test_every_parameter_gets_a_gradient():
    for cond_layer in COND_LAYERS:
        masker = build(cond_layer=cond_layer)
        masker(torch.rand(2, 1, 64, 64), random_query()).square().sum().backward()
        assert [n for n, p in masker.named_parameters() if p.grad is None] == []


def test_features_weighted_by_the_query_are_the_masks():
    masker = build().eval()
    log_mag, query = torch.rand(2, 1, 40, 32), random_query()
    weights = masker.head.scale * torch.sigmoid(masker.head.weights(query.pooled))
    features = masker.features(log_mag, query)
    logits = torch.einsum("bqc,bqcft->bqft", weights, features) + masker.head.bias
    torch.testing.assert_close(torch.sigmoid(logits), masker(log_mag, query))


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(num_downs=4), "num_downs of 5 or more"),
        (dict(cond_layer="film"), "sca, ca, sa, cat, identity"),
        (dict(num_heads=3), "num_heads to divide the 16 channels"),
        (dict(ngf=0), "ngf of 1 or more"),
        (dict(num_cond_blocks=0), "num_cond_blocks of 1 or more"),
    ],
)
def test_impossible_networks_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)


@pytest.mark.parametrize(
    "log_mag, query, message",
    [
        (
            torch.rand(1, 1, 32, 32),
            QueryEmbedding(
                torch.zeros(1, 1, 2, 7), torch.ones(1, 1, 2).bool(), torch.zeros(1, 1, 5)
            ),
            "tokens of size 6 and pooled size 5, received 7 and 5",
        ),
    ],
)
def test_wrong_shapes_are_refused(log_mag, query, message):
    with pytest.raises(ValueError, match=message):
        build()(log_mag, query)


@pytest.mark.parametrize("cond_layer", ["identity", "sa"])
def test_output_slots_run_every_level_once_per_mixture(cond_layer):
    """Unconditional systems ask for slot 0, 1, ... by one-hot pooled queries."""
    masker, sizes = build(cond_dim=1, pooled_dim=3, num_downs=6, cond_layer=cond_layer).eval(), []
    for level in masker.levels:
        for layer in (level.down_conv, level.up_res.norms[0]):
            layer.register_forward_hook(lambda _m, args, _o: sizes.append(len(args[0])))
    slots = torch.eye(3).expand(2, -1, -1)
    query = QueryEmbedding(torch.zeros(2, 3, 1, 1), torch.ones(2, 3, 1).bool(), slots)
    log_mag = torch.rand(2, 1, 64, 64)
    masks = masker(log_mag, query)
    assert sizes == [2] * 12
    for index in range(3):
        torch.testing.assert_close(
            masks[:, [index]], plain(masker, log_mag, select(query, [index]))
        )
        others = masks[:, [other for other in range(3) if other != index]]
        assert (masks[:, [index]] - others).abs().amax(dim=(2, 3)).min() > 1e-3


def test_head_scale_starts_masks_as_much_nearer_to_a_half():
    log_mag, query = torch.rand(2, 1, 32, 32), random_query()
    usual, calm = (build(head_scale=scale)(log_mag, query) for scale in (1, 0.25))
    torch.testing.assert_close(calm.logit(), 0.25 * usual.logit(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("dtype, atol", [(torch.float32, 1e-4), (torch.float64, 1e-12)])
@pytest.mark.parametrize("changes", [{}, dict(num_res_layers=2, num_downs=6, cond_layer="cat")])
def test_recomputed_activations_give_the_same_steps(changes, dtype, atol):
    log_mag, query, states = torch.rand(2, 1, 70, 60, dtype=dtype), random_query(), []
    query = QueryEmbedding(query.tokens.to(dtype), query.mask, query.pooled.to(dtype))
    for recomputed in (False, True):
        masker = build(**changes).to(dtype).train()
        masker.checkpoint_activations = recomputed
        optimizer = torch.optim.SGD(masker.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            masker(log_mag, query).square().mean().backward()
            optimizer.step()
        gradients = {name: weight.grad for name, weight in masker.named_parameters()}
        states.append((gradients, masker.state_dict()))  # with running statistics and their counts
    torch.testing.assert_close(states[1], states[0], rtol=1e-4, atol=atol)


def test_recomputed_activations_keep_less_than_a_third():
    log_mag, query, kept = torch.rand(1, 1, 64, 64), random_query(1, 6), []
    for recomputed in (False, True):
        masker, sizes = build(ngf=8).train(), {}
        masker.checkpoint_activations = recomputed
        weights = {tensor.data_ptr() for tensor in masker.state_dict().values()}

        def note(tensor, sizes=sizes, weights=weights):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                sizes[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            masks = masker(log_mag, query)
        masks.sum().backward()
        kept.append(sum(sizes.values()))
    assert kept[1] < kept[0] / 3
