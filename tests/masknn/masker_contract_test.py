"""What every masker does: (B, 1, F, T) and Q queries in, (B, Q, F, T) masks out."""

from __future__ import annotations

import pytest
import torch

from asteroid_bimodal.masknn import CondUNet, FiLMResUNet, LightUNet, ResUNet30, SoundUNet
from asteroid_bimodal.queries.base import QueryEmbedding

TOKEN_SIZE, POOLED_SIZE = 6, 5
SMALL = {
    CondUNet: dict(out_dim=3, cond_dim=TOKEN_SIZE, num_downs=5, ngf=2, num_heads=2),
    FiLMResUNet: dict(num_downs=5, ngf=4, film_dim=4),
    LightUNet: dict(out_dim=3, cond_dim=TOKEN_SIZE, num_downs=5, ngf=2, num_heads=2),
    ResUNet30: dict(num_freqs=64, num_downs=5, ngf=2),
    SoundUNet: dict(out_dim=3, num_downs=5, ngf=2, log_freq_bins=32),
}
# Some that are not the defaults.
CHANGED = {
    CondUNet: dict(num_downs=6, cond_layer="ca", mask_padding=False),
    FiLMResUNet: dict(num_downs=6),
    LightUNet: dict(num_downs=6, cond_layer="ca", mask_padding=False),
    ResUNet30: dict(num_downs=6, num_freqs=33),
    SoundUNet: dict(num_downs=6, log_freq_bins=None, num_noise=2),
}


@pytest.fixture(params=SMALL, ids=lambda masker: masker.__name__)
def build(request):
    def build(**changes):
        """A small network; FiLMs are not at their start, where they do nothing."""
        torch.manual_seed(0)
        masker = request.param(**{**SMALL[request.param], "pooled_dim": POOLED_SIZE, **changes})
        for name, parameter in masker.named_parameters():
            if "film" in name:
                torch.nn.init.normal_(parameter, std=0.5)
        return masker

    return build


def for_height(build, height):
    """The network for so many frequencies, where it is built for a number of them."""
    return build(**({"num_freqs": height} if "num_freqs" in build().get_config() else {}))


def random_query(batch=2, num_queries=3, tokens=4, pooled_size=POOLED_SIZE):
    shape = (batch, num_queries, tokens)
    mask = torch.arange(tokens) < torch.randint(1, tokens + 1, shape[:2]).unsqueeze(-1)
    return QueryEmbedding(
        torch.randn(*shape, TOKEN_SIZE), mask, torch.randn(*shape[:2], pooled_size)
    )


def select(query, index):
    return QueryEmbedding(query.tokens[:, index], query.mask[:, index], query.pooled[:, index])


def test_all_queries_at_once_equal_each_by_itself(build):
    masker, log_mag, query = build().eval(), torch.rand(2, 1, 64, 40), random_query()
    masks = masker(log_mag, query)
    assert masks.shape == (2, 3, 64, 40)
    for index in range(3):
        one = masker(log_mag, select(query, [index]))
        torch.testing.assert_close(masks[:, [index]], one, rtol=1e-4, atol=1e-6)
    assert (masks[:, 0] - masks[:, 1]).abs().max() > 1e-3


@pytest.mark.parametrize("size", [(2, 1), (33, 64), (64, 31), (70, 100)])
def test_any_size_works_and_is_kept(build, size):
    masks = for_height(build, size[0]).eval()(torch.rand(1, 1, *size), random_query(1))
    assert masks.shape == (1, 3, *size)
    assert masks.min() >= 0 and masks.max() <= 1


def test_a_gradient_reaches_every_parameter(build):
    masker = build()
    masker(torch.rand(2, 1, 64, 64), random_query()).square().sum().backward()
    assert [n for n, p in masker.named_parameters() if not p.grad.any()] == []


def test_channels_last_gives_the_same(build):
    masker, log_mag = for_height(build, 65).eval(), torch.rand(2, 1, 65, 40)
    query = random_query()
    masks = masker(log_mag, query)
    last = masker.to(memory_format=torch.channels_last)(
        log_mag.to(memory_format=torch.channels_last), query
    )
    torch.testing.assert_close(last, masks, rtol=1e-4, atol=1e-6)


def test_inputs_stay_as_they_are(build):
    log_mag, query = torch.rand(2, 1, 64, 64), random_query()
    before = [tensor.clone() for tensor in (log_mag, query.tokens, query.mask, query.pooled)]
    build()(log_mag, query)
    assert all(map(torch.equal, before, (log_mag, query.tokens, query.mask, query.pooled)))


def test_configuration_builds_the_same_network_again(build):
    masker = build(**CHANGED[type(build())])
    again = type(masker)(**masker.get_config())
    again.load_state_dict(masker.state_dict())
    assert again.get_config() == masker.get_config()


def test_impossible_sizes_are_refused(build):
    names = {"num_downs", "ngf", "pooled_dim"} & build().get_config().keys()
    assert "pooled_dim" in names
    for name in names:
        with pytest.raises(ValueError, match=f"{name} of [125] or more.*, received 0"):
            build(**{name: 0})


WRONG = {
    r"\(B, 1, F, T\), received \(2, 32, 32\)": (torch.rand(2, 32, 32), random_query()),
    "each of 3 mixtures": (torch.rand(3, 1, 32, 32), random_query()),
    "pooled size 5, received (6 and )?6:": (
        torch.rand(2, 1, 32, 32),
        random_query(pooled_size=6),
    ),
    "one or more queries": (torch.rand(2, 1, 32, 32), random_query(num_queries=0)),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_shapes_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()(*WRONG[message])
