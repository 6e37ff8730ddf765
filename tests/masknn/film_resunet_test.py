"""FiLMResUNet: LASS-Net's blocks, sharing changes nothing, bad input is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from asteroid_bimodal.masknn.film_resunet import FiLMResidualBlock, FiLMResUNet

SMALL = dict(pooled_dim=5, num_downs=5, ngf=2, film_dim=4)


def build(**changes):
    """A small network whose FiLMs are not at their start, where they do nothing."""
    torch.manual_seed(0)
    masker = FiLMResUNet(**{**SMALL, **changes})
    for name, parameter in masker.named_parameters():
        if "film" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    return masker


def random_query(batch=2, num_queries=3):
    return SimpleNamespace(pooled=torch.randn(batch, num_queries, SMALL["pooled_dim"]))


def plain_block(block, x, cond):
    out = block.film1(block.conv1(F.leaky_relu(block.norm1(x), 0.01)), cond)
    out = block.film2(block.conv2(F.leaky_relu(block.norm2(out), 0.01)), cond)
    if block.shortcut is not None:
        x = block.shortcut_film(block.shortcut(x), cond)
    return out + x


def plain(masker, log_mag, query):
    """The network of one query, step by step as LASS-Net's release."""
    cond = F.relu(masker.query_proj[0](query.pooled[:, 0]))
    x, skips = log_mag, []
    for pair in masker.encoders:
        x = plain_block(pair.block2, plain_block(pair.block1, x, cond), cond)
        skips.append(x)
        x = F.avg_pool2d(x, kernel_size=(2, 2))
    x = plain_block(masker.middle, x, cond)
    for decoder in masker.decoders:
        x = decoder.up_conv(F.relu(decoder.norm(x)))[:, :, :-1, :-1]
        x = torch.cat([x, skips.pop()], dim=1)
        x = plain_block(decoder.blocks.block1, x, cond)
        x = plain_block(decoder.blocks.block2, x, cond)
    return torch.sigmoid(masker.head(plain_block(masker.last, x, cond)))


def test_all_queries_at_once_equal_the_plain_network_of_each():
    masker, log_mag, query = build().eval(), torch.rand(2, 1, 64, 32), random_query()
    masks = masker(log_mag, query)
    for index in range(3):
        one = SimpleNamespace(pooled=query.pooled[:, [index]])
        expected = plain(masker, log_mag, one)
        torch.testing.assert_close(masks[:, [index]], expected, rtol=1e-4, atol=1e-6)


def test_one_query_in_training_mode_equals_the_plain_network_with_its_gradients():
    masker, log_mag, query = build().train(), torch.rand(2, 1, 64, 64), random_query(2, 1)
    results = []
    for run in (masker, lambda *args: plain(masker, *args)):
        masker.zero_grad()
        out = run(log_mag, query)
        out.square().mean().backward()
        results.append((out, [p.grad.clone() for p in masker.parameters()]))
    torch.testing.assert_close(results[0], results[1], rtol=1e-4, atol=1e-6)


def test_residual_block_by_hand():
    block = FiLMResidualBlock(1, 1, film_dim=1).eval()
    with torch.no_grad():
        for conv in (block.conv1, block.conv2):
            conv.weight.zero_()[0, 0, 1, 1] = 2.0
    x, cond = torch.tensor([[[[1.0, -1.0]]]]), torch.zeros(1, 1)
    norm = 1 / (1 + 1e-5) ** 0.5
    first = 2 * F.leaky_relu(x * norm, 0.01)
    expected = 2 * F.leaky_relu(first * norm, 0.01) + x
    torch.testing.assert_close(block(x, cond), expected)
    assert x.tolist() == [[[[1.0, -1.0]]]]


def test_until_trained_the_query_changes_nothing():
    masker = FiLMResUNet(**SMALL).eval()
    masks = masker(torch.rand(2, 1, 32, 32), random_query())
    torch.testing.assert_close(masks, masks[:, :1].expand_as(masks))


def test_what_comes_before_the_first_film_runs_once_per_mixture():
    masker, sizes = build(), []
    block = masker.encoders[0].block1
    for conv in (block.conv1, block.shortcut, block.conv2):
        conv.register_forward_hook(lambda _m, args, _o: sizes.append(len(args[0])))
    masker(torch.rand(2, 1, 64, 64), random_query())
    assert sorted(sizes) == [2, 2, 6]


def test_full_size_has_the_convolutions_of_the_released_network():
    """Block by block as LASS-Net's release builds it; its FiLMs are of another make."""

    def block(a, b):
        shortcut = a * b + b if a != b else 0
        return 2 * a + 9 * a * b + 2 * b + 9 * b * b + shortcut

    down = [(1, 32), (32, 64), (64, 128), (128, 256), (256, 384), (384, 384)]
    up = [(384, 384), (384, 384), (384, 256), (256, 128), (128, 64), (64, 32)]
    expected = sum(block(a, b) + block(b, b) for a, b in down) + block(384, 384)
    expected += sum(2 * a + 9 * a * b + block(2 * b, b) + block(b, b) for a, b in up)
    expected += block(32, 32) + 33
    with torch.device("meta"):
        masker = FiLMResUNet()
    counts = {name: p.numel() for name, p in masker.named_parameters()}
    conditioning = [name for name in counts if "film" in name or "query_proj" in name]
    received = sum(counts.values()) - sum(counts[name] for name in conditioning)
    assert received == expected == 37_632_355


def test_impossible_networks_are_refused():
    with pytest.raises(ValueError, match="Expected film_dim of 1 or more, received 0"):
        build(film_dim=0)
