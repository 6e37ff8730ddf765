"""Blocks of the U-Net: shortcuts equal the plain computation."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from asteroid_bimodal.masknn.blocks import (
    Attention,
    HalvingConv,
    QueryProduct,
    ResidualBlock,
    repeat_for_queries,
    split_conv,
)


def joined(shared, own):
    return torch.cat([repeat_for_queries(shared, len(own)), own], dim=1)


def test_split_convolution_equals_convolution_of_the_concatenation():
    torch.manual_seed(0)
    conv = nn.Conv2d(5, 4, 3, padding=1)
    shared, own = torch.randn(2, 3, 6, 7), torch.randn(6, 2, 6, 7)
    torch.testing.assert_close(split_conv(conv, shared, own), conv(joined(shared, own)))


@pytest.mark.parametrize("width", [2, 3, 4, 5])
@pytest.mark.parametrize("half", [False, True])
def test_halving_is_the_convolution_at_every_width_and_precision(width, half):
    torch.manual_seed(0)
    halving = HalvingConv(96, 96)
    plain = nn.Conv2d(96, 96, 4, stride=2, padding=1, bias=False)
    plain.load_state_dict(halving.state_dict())
    x = torch.randn(8, 96, 8, width)
    rubbish = [torch.full((size,), torch.nan) for size in (10**4, 10**5, 10**6)]
    del rubbish  # what memory is left with where nothing is written
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        found = halving(x)
    torch.testing.assert_close(found.float(), plain(x), atol=0.03 if half else 0, rtol=0)


def test_residual_block_of_shared_and_own_maps_equals_that_of_their_concatenation():
    torch.manual_seed(0)
    for num_layers in (1, 2, 3):
        block = ResidualBlock(5, num_layers)
        for shared, own in [(2, 6), (2, 2)]:
            shared, own = torch.randn(shared, 3, 6, 7), torch.randn(own, 2, 6, 7)
            block.train()
            torch.testing.assert_close(
                block.forward_joined(shared, own), block(joined(shared, own))
            )


def test_residual_block_by_hand():
    block = ResidualBlock(1, 2).eval()
    with torch.no_grad():
        for conv in block.convs:
            conv.weight.zero_()[0, 0, 1, 1] = 2.0
            conv.bias.fill_(-1.0)
    x = torch.tensor([[[[1.0, -1.0]]]])
    norm = 1 / (1 + 1e-5) ** 0.5
    first = F.leaky_relu((2 * x - 1) * norm, 0.2)
    expected = F.leaky_relu((2 * first - 1) * norm + x, 0.2)
    torch.testing.assert_close(block(x), expected)
    assert x.tolist() == [[[[1.0, -1.0]]]]


def test_attention_equals_pytorchs():
    torch.manual_seed(0)
    ours, theirs = (
        Attention(8, 6, num_heads=2),
        nn.MultiheadAttention(8, 2, kdim=6, vdim=6, batch_first=True),
    )
    with torch.no_grad():
        theirs.q_proj_weight.copy_(ours.q.weight)
        theirs.k_proj_weight.copy_(ours.kv.weight[:8])
        theirs.v_proj_weight.copy_(ours.kv.weight[8:])
        theirs.in_proj_bias.copy_(torch.cat([ours.q.bias, ours.kv.bias]))
        theirs.out_proj.load_state_dict(ours.proj.state_dict())
    x, context = torch.randn(3, 5, 8), torch.randn(3, 4, 6)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1]]).bool()
    expected, _ = theirs(x, context, context, key_padding_mask=~mask)
    torch.testing.assert_close(ours(x, context, mask), expected)
    expected, _ = theirs(x, context, context)
    torch.testing.assert_close(ours(x, context), expected)


def test_attention_to_no_token_is_nothing_and_has_a_gradient():
    attention = Attention(4, 6, num_heads=2)
    context = torch.randn(2, 3, 6, requires_grad=True)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    out = attention(torch.randn(2, 5, 4), context, mask)
    torch.testing.assert_close(out[1], attention.proj.bias.expand(5, 4))
    out.sum().backward()
    assert torch.isfinite(context.grad).all()
    assert context.grad[1].abs().max() == 0
    assert all(torch.isfinite(p.grad).all() for p in attention.parameters())


def test_folded_head_equals_weighted_feature_maps():
    torch.manual_seed(0)
    conv, head = nn.Conv2d(6, 5, 3, padding=1), QueryProduct(pooled_dim=4, out_dim=5)
    nn.init.normal_(head.scale)
    nn.init.normal_(head.bias)
    pooled = torch.randn(6, 4)
    for maps in (6, 2):  # one for each query, one for three queries
        x = torch.randn(maps, 6, 9, 7)
        weights = head.scale * torch.sigmoid(head.weights(pooled))
        features = repeat_for_queries(conv(x), 6)
        expected = torch.einsum("nc,nchw->nhw", weights, features) + head.bias
        torch.testing.assert_close(head(conv, x, pooled), expected, rtol=1e-5, atol=1e-5)
