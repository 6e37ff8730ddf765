"""FiLM equals its equation; an adapted masker is the stock one until its FiLMs are trained."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from asteroid.masknn import DPRNN, SuDORMRFImproved, TDConvNet
from torch import nn

from asteroid_bimodal.masknn.film import FiLM, FiLMAdapter

F, T, E = 12, 40, 5


def conv_masker(**changes):
    args = {"n_src": 1, "n_blocks": 2, "n_repeats": 2, "bn_chan": 6, "hid_chan": 8, "skip_chan": 7}
    return TDConvNet(F, **{**args, **changes})


MASKERS = {
    "TDConvNet": (conv_masker, "TCN"),
    "TDConvNet without skips": (lambda: conv_masker(skip_chan=0), "TCN"),
    "TDConvNet of two outputs": (lambda: conv_masker(n_src=2, mask_act="softmax"), "TCN"),
    "DPRNN": (
        lambda: DPRNN(F, n_src=2, bn_chan=6, hid_size=4, chunk_size=10, n_repeats=2),
        "net",
    ),
    "SuDORMRF": (
        lambda: SuDORMRFImproved(F, n_src=1, bn_chan=6, num_blocks=2, upsampling_depth=2),
        "sm",
    ),
}


def trained(module):
    """Gives every FiLM weights that do something."""
    generator = torch.Generator().manual_seed(1)
    for film in module.modules():
        if isinstance(film, FiLM):
            for parameter in film.parameters():
                parameter.data = torch.randn(parameter.shape, generator=generator)
    return module


def test_film_by_hand():
    film = FiLM(cond_dim=1, channels=2)
    with torch.no_grad():
        film.scale_shift.weight.copy_(torch.tensor([[1.0], [2.0], [0.0], [10.0]]))
        film.scale_shift.bias.copy_(torch.tensor([0.0, 0.0, 5.0, 0.0]))
    x = torch.ones(2, 2, 3)
    out = film(x, torch.tensor([[0.0], [1.0]]))
    assert out[..., 0].tolist() == [[6.0, 1.0], [7.0, 13.0]]  # (1 + c) + 5, (1 + 2c) + 10c
    assert (out == out[..., :1]).all() and (x == 1).all()


def test_film_takes_any_number_of_axes():
    film, cond = trained(FiLM(E, 3)), torch.randn(2, E)
    x = torch.randn(2, 3, 4, 5, 6)
    torch.testing.assert_close(film(x, cond)[..., 2, 1], film(x[..., 2, 1], cond))
    assert film(x[..., 0, 0, 0], cond).shape == (2, 3)


def test_film_gradients():
    torch.manual_seed(0)
    film = trained(FiLM(2, 3)).double()
    x, cond = (torch.randn(2, size, dtype=torch.float64, requires_grad=True) for size in (3, 2))
    assert torch.autograd.gradcheck(film, (x, cond))


@pytest.mark.parametrize("name", MASKERS)
def test_an_untrained_adapter_is_the_stock_masker(name):
    torch.manual_seed(0)
    build, blocks = MASKERS[name]
    masker = build().eval()
    x, cond = torch.randn(2, F, T), torch.randn(2, 3, E)
    expected = masker(x)  # (B, S, F, T)
    masks = FiLMAdapter(masker, E, blocks=blocks)(x, cond)
    torch.testing.assert_close(masks, expected.repeat(1, 3, 1, 1))
    torch.testing.assert_close(masker(x), expected)


@pytest.mark.parametrize("name", MASKERS)
def test_each_mixture_and_condition_is_on_its_own(name):
    torch.manual_seed(0)
    build, blocks = MASKERS[name]
    adapter = trained(FiLMAdapter(build(), E, blocks=blocks)).eval()
    x, cond = torch.randn(2, F, T), torch.randn(2, 3, E)
    masks = adapter(x, cond)
    alone = [[adapter(x[b : b + 1], cond[b : b + 1, q : q + 1]) for q in range(3)] for b in (0, 1)]
    expected = torch.cat([torch.cat(row, dim=1) for row in alone])
    torch.testing.assert_close(masks, expected, rtol=1e-4, atol=1e-5)
    n_src = masks.shape[1] // 3
    assert not torch.allclose(masks[:, :n_src], masks[:, n_src : 2 * n_src], atol=1e-3)


def test_every_block_is_modulated_on_its_input():
    """Against the blocks of a masker without skips, applied by hand."""
    torch.manual_seed(0)
    masker = conv_masker(skip_chan=0)
    adapter = trained(FiLMAdapter(masker, E))
    x, cond = torch.randn(2, F, T), torch.randn(2, 1, E)
    hidden = masker.bottleneck(x)
    for block, film in zip(masker.TCN, adapter.films, strict=True):
        hidden = hidden + block(film(hidden, cond[:, 0]))
    expected = masker.output_act(masker.mask_net(hidden).unflatten(1, (1, F)))
    torch.testing.assert_close(adapter(x, cond), expected)


def test_gradients_reach_masker_films_and_conditions():
    adapter = trained(FiLMAdapter(conv_masker(), E))
    cond = torch.randn(2, 3, E, requires_grad=True)
    adapter(torch.randn(2, F, T), cond).square().sum().backward()
    # The last block's residual leads nowhere in a TDConvNet with skips.
    unused = [f"masker.TCN.3.res_conv.{name}" for name in ("weight", "bias")]
    reached = {n for n, p in adapter.named_parameters() if p.grad is not None and p.grad.any()}
    assert {n for n, _ in adapter.named_parameters()} - reached == set(unused)
    assert cond.grad.abs().sum((0, 1)).min() > 0


def test_an_untrained_adapter_starts_to_learn():
    torch.manual_seed(0)
    adapter = FiLMAdapter(conv_masker(), E)
    adapter(torch.randn(2, F, T), torch.randn(2, 3, E)).sum().backward()
    assert all(film.scale_shift.weight.grad.abs().max() > 0 for film in adapter.films)


def test_weights_are_saved_and_loaded():
    adapter, file = trained(FiLMAdapter(conv_masker(), E)), io.BytesIO()
    x, cond = torch.randn(2, F, T), torch.randn(2, 3, E)
    expected = adapter(x, cond)
    torch.save(adapter.state_dict(), file)
    file.seek(0)
    other = FiLMAdapter(conv_masker(), E)
    other.load_state_dict(torch.load(file, weights_only=True))
    torch.testing.assert_close(other(x, cond), expected)
    torch.testing.assert_close(copy.deepcopy(adapter)(x, cond), expected)
    stock = {f"masker.{name}" for name in conv_masker().state_dict()}
    assert {name for name in adapter.state_dict() if not name.startswith("films.")} == stock
    assert adapter.get_config() == conv_masker().get_config()


def test_nothing_stays_behind_even_after_an_error():
    masker = conv_masker()
    adapter = trained(FiLMAdapter(masker, E))
    x, cond = torch.randn(2, F, T), torch.randn(2, 3, E)
    before = masker(x)
    adapter(x, cond)
    with pytest.raises(RuntimeError):
        adapter(x[:, :5], cond)
    with pytest.raises(ValueError, match="condition of size 5"):
        adapter(x, cond[..., :4])
    assert not any(block._forward_pre_hooks for block in masker.TCN)
    torch.testing.assert_close(masker(x), before)


@pytest.mark.filterwarnings("ignore")
def test_a_traced_adapter_gives_the_same_masks():
    adapter = trained(FiLMAdapter(conv_masker(), E)).eval()
    x, cond = torch.randn(2, F, T), torch.randn(2, 3, E)
    with torch.no_grad():
        traced = torch.jit.trace(adapter, (x, cond))
        torch.testing.assert_close(traced(-x, 2 * cond), adapter(-x, 2 * cond))


@pytest.mark.parametrize(
    ("x", "cond"),
    [((2, 4, 7), (2, 5)), ((2, 3, 7), (2, 4)), ((2, 3, 7), (1, 5)), ((3,), (3, 5))],
)
def test_film_of_wrong_shapes(x, cond):
    with pytest.raises(ValueError, match=r"Expected features \(N, 3, ...\).*received"):
        FiLM(5, 3)(torch.zeros(x), torch.zeros(cond))


@pytest.mark.parametrize("cond", [(2, E), (3, 1, E), (2, 0, E)])
def test_adapter_of_wrong_shapes(cond):
    with pytest.raises(ValueError, match=r"Expected conditions \(B, Q, E\)"):
        FiLMAdapter(conv_masker(), E)(torch.zeros(2, F, T), torch.zeros(cond))


def test_a_masker_without_such_blocks():
    with pytest.raises(ValueError, match=r"TDConvNet \(bottleneck, TCN, .*received 'net'"):
        FiLMAdapter(conv_masker(), E, blocks="net")
    with pytest.raises(ValueError, match="no bn_chan"):
        FiLMAdapter(nn.Sequential(nn.Sequential(nn.Conv1d(F, F, 1))), E, blocks="0")
