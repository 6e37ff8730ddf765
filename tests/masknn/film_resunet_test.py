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


def test_all_queries_at_once_equal_each_by_itself():
    masker, log_mag, query = build().eval(), torch.rand(2, 1, 64, 32), random_query()
    masks = masker(log_mag, query)
    assert masks.shape == (2, 3, 64, 32)
    for index in range(3):
        one = SimpleNamespace(pooled=query.pooled[:, [index]])
        torch.testing.assert_close(masks[:, [index]], masker(log_mag, one), rtol=1e-4, atol=1e-6)
        expected = plain(masker, log_mag, one)
        torch.testing.assert_close(masks[:, [index]], expected, rtol=1e-4, atol=1e-6)
    assert (masks[:, 0] - masks[:, 1]).abs().max() > 1e-3


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


def test_a_gradient_reaches_every_parameter():
    masker = build(ngf=4)
    masker(torch.rand(2, 1, 64, 64), random_query()).square().sum().backward()
    assert [n for n, p in masker.named_parameters() if not p.grad.any()] == []


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


@pytest.mark.parametrize("size", [(1, 1), (33, 64), (64, 31), (70, 100)])
def test_any_size_works_and_is_kept(size):
    masks = build().eval()(torch.rand(1, 1, *size), random_query(1))
    assert masks.shape == (1, 3, *size)
    assert masks.min() >= 0 and masks.max() <= 1


def test_channels_last_gives_the_same():
    masker, log_mag, query = build().eval(), torch.rand(2, 1, 65, 40), random_query()
    masks = masker(log_mag, query)
    last = masker.to(memory_format=torch.channels_last)(
        log_mag.to(memory_format=torch.channels_last), query
    )
    torch.testing.assert_close(last, masks, rtol=1e-4, atol=1e-6)


def test_configuration_builds_the_same_network_again():
    masker = build()
    again = FiLMResUNet(**masker.get_config())
    again.load_state_dict(masker.state_dict())
    assert again.get_config() == masker.get_config() == SMALL


@pytest.mark.parametrize("name", SMALL)
def test_impossible_networks_are_refused(name):
    with pytest.raises(ValueError, match=f"Expected {name} of 1 or more, received 0"):
        build(**{name: 0})


@pytest.mark.parametrize(
    "log_mag, query, message",
    [
        (torch.rand(2, 32, 32), random_query(), r"\(B, 1, F, T\), received \(2, 32, 32\)"),
        (torch.rand(3, 1, 32, 32), random_query(), "each of 3 mixtures"),
        (
            torch.rand(1, 1, 32, 32),
            SimpleNamespace(pooled=torch.zeros(1, 1, 6)),
            "pooled size 5, received 6",
        ),
    ],
)
def test_wrong_shapes_are_refused(log_mag, query, message):
    with pytest.raises(ValueError, match=message):
        build()(log_mag, query)
