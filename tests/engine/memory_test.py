"""The memory of a step that is told before the first one, against real steps."""

import torch

from asteroid_bimodal.engine.build import build_scorer, build_system
from asteroid_bimodal.engine.memory import LiveBytes, masker_bytes, scorer_bytes, step_bytes
from asteroid_bimodal.masknn import CondUNet
from asteroid_bimodal.queries import QueryEmbedding

CPU = torch.device("cpu")


def test_counted_is_what_a_real_step_makes():
    masker = CondUNet(out_dim=4, num_downs=5, ngf=4, num_heads=2, cond_dim=8, pooled_dim=6)
    masker = masker.to(memory_format=torch.channels_last).train()
    before = {name: value.clone() for name, value in masker.state_dict().items()}
    query = QueryEmbedding(
        torch.randn(2, 3, 12, 8), torch.ones(2, 3, 12, dtype=torch.bool), torch.randn(2, 3, 6)
    )
    log_mag = torch.rand(2, 1, 64, 32)
    for weight in masker.parameters():
        weight.grad = torch.zeros_like(weight)
    counted = masker_bytes(masker, (2, 1, 64, 32), (3, 8, 6))
    assert all(torch.equal(value, before[name]) for name, value in masker.state_dict().items())
    with LiveBytes([*masker.parameters(), *masker.buffers()]) as live:
        masks = masker(log_mag, query)
        kept = live.now
        masks.square().mean().backward()
    assert abs(counted[0] / kept - 1) < 0.05 and abs(counted[1] / live.peak - 1) < 0.05
    less = masker_bytes(masker, (2, 1, 64, 32), (3, 8, 6), recomputed=True)
    assert less[0] < counted[0] / 2 and less[1] < counted[1]
    assert masker_bytes(masker, (4, 1, 64, 32), (3, 8, 6))[1] > 1.8 * counted[1]


def test_what_a_step_needs(tone_set, tiny_conf):
    """Weights, gradients and moments, the masker, CLAP; two mixtures of two phrases each."""
    conf = tiny_conf(tone_set)
    system = build_system(conf)
    step = system.model, [system.loss_func], conf
    scorer = build_scorer(conf)
    heard = scorer_bytes(scorer, conf)
    one = scorer_bytes(scorer, tiny_conf(tone_set, **{"scorer.chunk_size": 1}))
    assert heard == 2 * 4 * one > 0
    encoder, weights = system.model.query_encoder, list(system.model.masker.parameters())
    size = system.model.magnitude(torch.zeros(1, 4080)).shape[-2:]
    queries = (6, encoder.token_dim, encoder.pooled_dim)
    masker = masker_bytes(system.model.masker, (2, 1, *size), queries)[1]
    clap = sum(weight.numel() for weight in encoder.network.parameters())
    expected = 16 * sum(weight.numel() for weight in weights) + masker + heard + 4 * clap
    assert step_bytes(*step, "32-true", CPU) == expected
    assert step_bytes(*step, "bf16-mixed", CPU) < expected


def test_single_sources_take_more(tone_set, tiny_conf):
    conf = tiny_conf(tone_set, "bimodal_semi", **{"data.clean.share": 0.5})
    system = build_system(conf)
    losses = [system.loss_func, system.clean_loss]
    one, both = (step_bytes(system.model, losses[:n], conf, "32-true", CPU) for n in (1, 2))
    assert both > one
