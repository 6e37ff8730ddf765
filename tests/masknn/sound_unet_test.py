"""SoundUNet: the authors' network, the warp's formula, and noise heads."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from asteroid_bimodal.masknn.sound_unet import SoundUNet, to_linear_frequency, to_log_frequency

SMALL = dict(out_dim=3, pooled_dim=5, num_downs=5, ngf=2, log_freq_bins=32)


def build(**changes):
    torch.manual_seed(0)
    return SoundUNet(**{**SMALL, **changes})


def random_query(batch=2, num_queries=3):
    return SimpleNamespace(pooled=torch.randn(batch, num_queries, SMALL["pooled_dim"]))


def authors_maps(masker, x, index=0):
    """The nested blocks of the released networks: activations first, skips beside what is below."""
    level = masker.levels[index]
    below = level.down_norm(level.down_conv(x if index == 0 else F.leaky_relu(x, 0.2)))
    if index + 1 < len(masker.levels):
        below = torch.cat([below, authors_maps(masker, below, index + 1)], dim=1)
    below = F.interpolate(F.relu(below), scale_factor=2, mode="bilinear", align_corners=True)
    below = level.up_conv(below)
    return below if index == 0 else level.up_norm(below)


def authors_masks(masker, log_mag, pooled):
    maps = authors_maps(masker, masker.input_norm(log_mag))
    weights = torch.sigmoid(masker.head.weights(pooled))
    logits = torch.einsum("c,bqc,bcft->bqft", masker.head.scale, weights, maps)
    return torch.sigmoid(logits + masker.head.bias)


def authors_warp(x, num_rows, formula):
    """The released warp: `grid_sample` at places between -1 and 1."""
    rows = formula(torch.linspace(-1, 1, num_rows))
    columns = torch.linspace(-1, 1, x.shape[-1])
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    return F.grid_sample(x, grid.expand(len(x), -1, -1, -1), align_corners=True)


def test_warps_read_where_the_authors_do():
    torch.manual_seed(0)
    linear, logarithmic = torch.rand(2, 3, 65, 7), torch.rand(2, 3, 40, 7)
    torch.testing.assert_close(
        to_log_frequency(linear, 40),
        authors_warp(linear, 40, lambda y: (21 ** ((y + 1) / 2) - 11) / 10),
        rtol=0,
        atol=2e-5,
    )
    torch.testing.assert_close(
        to_linear_frequency(logarithmic, 65),
        authors_warp(
            logarithmic, 65, lambda y: torch.log(10 * y + 11) / torch.tensor(21.0).log() * 2 - 1
        ),
        rtol=0,
        atol=2e-5,
    )


def test_warps_keep_constants_and_undo_each_other_on_smooth_masks():
    constant = torch.full((1, 1, 512, 3), 0.7)
    torch.testing.assert_close(to_log_frequency(constant, 256), constant[..., :256, :])
    torch.testing.assert_close(to_linear_frequency(constant[..., :256, :], 512), constant)
    height = torch.linspace(0, 1, 512)[:, None]
    smooth = 0.5 + 0.4 * torch.cos(torch.pi * height * torch.tensor([1.0, 2.0, 4.0]))
    back = to_linear_frequency(to_log_frequency(smooth, 256), 512)
    assert (back - smooth).abs().max() < 5e-3


def test_a_tone_is_found_at_the_row_of_its_formula():
    tone = torch.zeros(129, 1)
    tone[32] = 1.0  # u = 1 / 4, v = log_21(6) = 0.5885
    assert to_log_frequency(tone, 257).argmax() == round(0.5885 * 256)


@pytest.mark.parametrize("training", [True, False])
def test_masks_are_those_of_the_authors_network(training):
    masker = build(log_freq_bins=None, num_downs=6).train(training)
    torch.nn.init.normal_(masker.head.scale)
    log_mag, query = torch.rand(2, 1, 64, 128), random_query()
    expected = authors_masks(masker, log_mag, query.pooled)
    torch.testing.assert_close(masker(log_mag, query), expected, rtol=1e-4, atol=1e-5)


def test_warped_masks_are_those_of_the_warped_spectrogram():
    masker, log_mag, query = build().eval(), torch.rand(2, 1, 65, 32), random_query()
    expected = authors_masks(masker, to_log_frequency(log_mag, 32), query.pooled)
    torch.testing.assert_close(
        masker(log_mag, query), to_linear_frequency(expected, 65), rtol=1e-4, atol=1e-5
    )


def test_in_training_too_all_queries_at_once_equal_each_by_itself():
    masker, log_mag, query = build().train(), torch.rand(2, 1, 65, 40), random_query()
    masks = masker(log_mag, query)
    assert masks.shape == (2, 3, 65, 40)
    for index in range(3):
        one = SimpleNamespace(pooled=query.pooled[:, [index]])
        torch.testing.assert_close(masks[:, [index]], masker(log_mag, one), rtol=1e-4, atol=1e-6)


def test_the_unet_runs_once_per_mixture():
    masker, sizes = build(), []
    for level in masker.levels:
        for conv in (level.down_conv, level.up_conv):
            conv.register_forward_hook(lambda _m, args, _o: sizes.append(len(args[0])))
    masker(torch.rand(2, 1, 64, 64), random_query())
    assert sizes == [2] * 9  # the outermost upward convolution is folded into the head


def test_noise_heads_are_masks_that_no_query_changes():
    masker, log_mag = build(num_noise=2).eval(), torch.rand(2, 1, 65, 40)
    first, second = random_query(), random_query(num_queries=1)
    found = masker.forward_with_noise(log_mag, first)
    assert found.noise.shape == (2, 2, 65, 40)
    torch.testing.assert_close(found.masks, masker(log_mag, first))
    torch.testing.assert_close(found.noise, masker.forward_with_noise(log_mag, second).noise)
    asked = SimpleNamespace(pooled=masker.noise_queries.expand(2, -1, -1))
    torch.testing.assert_close(found.noise, masker(log_mag, asked))
    assert (found.noise[:, 0] - found.noise[:, 1]).abs().max() > 1e-3


def test_a_gradient_reaches_every_parameter():
    masker = build(num_noise=2)
    found = masker.forward_with_noise(torch.rand(2, 1, 64, 64), random_query())
    (found.masks.square().sum() + found.noise.square().sum()).backward()
    assert [n for n, p in masker.named_parameters() if not p.grad.any()] == []


def test_full_size_has_the_parameters_of_the_released_unet():
    """Layer by layer as CLIPSep's release builds it: 32 maps, 7 levels, 64 channels."""
    down = [(1, 64), (64, 128), (128, 256), (256, 512), (512, 512), (512, 512), (512, 512)]
    up = [(512, 512), (1024, 512), (1024, 512), (1024, 256), (512, 128), (256, 64)]
    expected = sum(16 * a * b for a, b in down) + sum(2 * b for _, b in down[1:-1])
    expected += sum(9 * a * b + 2 * b for a, b in up) + 9 * 128 * 32 + 32 + 2
    head = 512 * 32 + 32 + 32 + 1
    with torch.device("meta"):
        received = sum(p.numel() for p in SoundUNet().parameters())
    assert received == expected + head == 30_290_659


@pytest.mark.parametrize("size", [(1, 1), (33, 64), (64, 31), (70, 100)])
@pytest.mark.parametrize("log_freq_bins", [None, 45])
def test_any_size_works_and_is_kept(size, log_freq_bins):
    masks = build(log_freq_bins=log_freq_bins).eval()(torch.rand(1, 1, *size), random_query(1))
    assert masks.shape == (1, 3, *size)
    assert masks.min() >= 0 and masks.max() <= 1


def test_double_precision_gives_the_same():
    masker, log_mag, query = build().eval(), torch.rand(2, 1, 65, 40), random_query()
    masks = masker(log_mag, query)
    double = masker.double()(log_mag.double(), SimpleNamespace(pooled=query.pooled.double()))
    torch.testing.assert_close(double.float(), masks, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(num_downs=1), "num_downs of 2 or more, received 1"),
        (dict(ngf=0), "ngf of 1 or more"),
        (dict(log_freq_bins=1), "log_freq_bins of 2 or more"),
        (dict(num_noise=-1), "num_noise of 0 or more"),
    ],
)
def test_impossible_networks_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)


def test_noise_of_a_network_without_noise_heads_is_refused():
    with pytest.raises(ValueError, match="build it with num_noise"):
        build().forward_with_noise(torch.rand(2, 1, 32, 32), random_query())
