import torch
from torch import nn

from asteroid_bimodal.utils.frozen import FixedNorm2d, FrozenModule, freeze_norms, weights_digest


def norm():
    layer = nn.BatchNorm2d(3).eval()
    for tensor in layer.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(3) + 0.5)
    return layer


def test_fixed_norm_is_a_batch_norm_in_eval_mode():
    layer, x = norm(), torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(FixedNorm2d(layer)(x), layer(x))


def test_all_norms_of_a_network_are_fixed():
    network, x = nn.Sequential(norm(), nn.Sequential(nn.ReLU(), norm())), torch.randn(1, 3, 2, 2)
    expected = network(x)
    freeze_norms(network)
    assert isinstance(network[0], FixedNorm2d) and isinstance(network[1][1], FixedNorm2d)
    torch.testing.assert_close(network(x), expected)


def test_a_frozen_network_is_invisible_but_moves_along():
    owner = nn.ModuleList([FrozenModule(nn.Linear(2, 2))]).train()
    assert list(owner.parameters()) == [] and len(owner.state_dict()) == 0
    assert not owner[0].network.training
    owner.to(torch.bfloat16)
    assert owner[0].network.weight.dtype == torch.float32
    owner.to("meta")
    assert owner[0].device.type == owner[0].network.weight.device.type == "meta"


def test_a_network_is_loaded_when_it_is_first_needed_and_where_its_owner_is():
    class Late(FrozenModule):
        loads = 0

        def _load_network(self):
            self.loads += 1
            return nn.Linear(2, 2)

    late = Late()
    owner = nn.ModuleList([late]).train().to("meta")
    assert late.loads == 0 and late.device.type == "meta" and len(owner.state_dict()) == 0
    with torch.inference_mode():
        assert late.network.weight.device.type == late.network.bias.device.type == "meta"
    assert late.loads == 1 and not late.network.training
    assert not late.network.weight.requires_grad and not late.network.weight.is_inference()


def test_a_digest_knows_every_weight():
    layer = nn.Linear(3, 2)
    before = weights_digest("", layer)
    with torch.no_grad():
        layer.bias[1] += 1e-6
    assert weights_digest("", layer) != before
