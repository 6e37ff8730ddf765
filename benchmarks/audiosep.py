"""What AudioSep costs here, beside the same network computed as its authors write it.

*Plain* is the authors' arithmetic: the STFT as convolutions of 2048 taps and its inverse as
matrices of 2048 × 2048, one pass of the network for each query, BatchNorm, shift and LeakyReLU as
steps of their own, maps in the usual order of memory. *Ours* is `AudioSep` in float32, *bf16* the
same under `torch.autocast`. All have the same random weights, with BatchNorm statistics of the
input, run one after the other in one thread, and are compared in the same run.

    python benchmarks/audiosep.py [--seconds 10] [--queries 1 4] [--pairs 3]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from paired import ratio
from torch import Tensor, nn

from asteroid_bimodal.masknn import ResUNet30
from asteroid_bimodal.models import AudioSep
from asteroid_bimodal.queries import QueryEmbedding

RATE, N_FFT, HOP = 32000, 2048, 320


class PlainAudioSep(nn.Module):
    """AudioSep as its authors write it, with the weights of one of ours."""

    def __init__(self, masker: ResUNet30) -> None:
        super().__init__()
        self.net = ResUNet30(**masker.get_config())
        self.net.load_state_dict(masker.state_dict())
        self.net.to(memory_format=torch.contiguous_format).eval()
        window = torch.hann_window(N_FFT)
        waves = torch.fft.fft(torch.eye(N_FFT, dtype=torch.complex128)).to(torch.complex64)
        forward, inverse = window * waves[: N_FFT // 2 + 1], window[:, None] * waves.conj() / N_FFT
        self.stft_real, self.stft_imag = (w.unsqueeze(1) for w in (forward.real, forward.imag))
        self.istft_real, self.istft_imag = (w.unsqueeze(2) for w in (inverse.real, inverse.imag))
        self.window = window.square()

    @torch.no_grad()
    def forward(self, wav: Tensor, query: QueryEmbedding) -> Tensor:
        """Separates (T,) by Q queries: (Q, T)."""
        return torch.cat([self.separate(wav[None, None], pooled) for pooled in query.pooled[0]])

    def separate(self, wav: Tensor, pooled: Tensor) -> Tensor:
        padded = F.pad(wav, (N_FFT // 2, N_FFT // 2), mode="reflect")
        real = F.conv1d(padded, self.stft_real, stride=HOP).unsqueeze(1).transpose(2, 3)
        imag = F.conv1d(padded, self.stft_imag, stride=HOP).unsqueeze(1).transpose(2, 3)
        mag = (real**2 + imag**2).clamp(1e-10).sqrt()  # (1, 1, T, F)
        cos, sin = real / mag, imag / mag
        gain, turn_cos, turn_sin = self.network(mag, pooled[None]).split(1, dim=1)
        gain, turn_cos, turn_sin = torch.sigmoid(gain), torch.tanh(turn_cos), torch.tanh(turn_sin)
        length = (turn_cos**2 + turn_sin**2).sqrt().clamp(1e-10)
        turn_cos, turn_sin = turn_cos / length, turn_sin / length
        out = F.relu(mag[..., :-1] * gain)
        real = out * (cos[..., :-1] * turn_cos - sin[..., :-1] * turn_sin)
        imag = out * (sin[..., :-1] * turn_cos + cos[..., :-1] * turn_sin)
        return self.inverse(F.pad(real, (0, 1)), F.pad(imag, (0, 1)), wav.shape[-1])

    def network(self, mag: Tensor, cond: Tensor) -> Tensor:
        net, frames = self.net, mag.shape[2]
        x = net.input_norm(mag.squeeze(1).transpose(1, 2)).transpose(1, 2).unsqueeze(1)
        x = net.stem(F.pad(x, (0, 0, 0, -frames % 32))[..., :-1])
        skips = []
        for encoder, stride in zip(net.encoders, net.strides, strict=True):
            x = plain_block(encoder, x, cond)
            skips.append(x)
            x = F.avg_pool2d(x, stride)
        x = plain_block(net.middle, x, cond)
        for decoder in net.decoders:
            x = decoder.up_conv(plain_activation(decoder.norm, x, decoder.shift(cond)))
            x = plain_block(decoder.block, torch.cat([x, skips.pop()], dim=1), cond)
        return net.head(x)[:, :, :frames]

    def inverse(self, real: Tensor, imag: Tensor, length: int) -> Tensor:
        real, imag = real.squeeze(1).transpose(1, 2), imag.squeeze(1).transpose(1, 2)  # (1, F, T)
        real = torch.cat([real, real[:, 1:-1].flip(1)], dim=1)
        imag = torch.cat([imag, -imag[:, 1:-1].flip(1)], dim=1)
        frames = F.conv1d(real, self.istft_real) - F.conv1d(imag, self.istft_imag)
        total = (1, (frames.shape[-1] - 1) * HOP + N_FFT)
        wav = F.fold(frames, total, (1, N_FFT), stride=(1, HOP)).flatten(1)
        windows = self.window[None, :, None].expand(1, -1, frames.shape[-1])
        wav = wav / F.fold(windows, total, (1, N_FFT), stride=(1, HOP)).flatten(1).clamp(1e-11)
        return wav[:, N_FFT // 2 :][:, :length]


def plain_block(block: nn.Module, x: Tensor, cond: Tensor) -> Tensor:
    """Runs a residual block step by step."""
    y = block.conv1(plain_activation(block.norm1, x, block.shift1(cond)))
    y = block.conv2(plain_activation(block.norm2, y, block.shift2(cond)))
    return (x if block.shortcut is None else block.shortcut(x)) + y


def plain_activation(norm: nn.Module, x: Tensor, shift: Tensor) -> Tensor:
    """Normalises, shifts and rectifies."""
    return F.leaky_relu_(norm(x) + shift[:, :, None, None], negative_slope=0.01)


def build(wav: Tensor, query: QueryEmbedding) -> AudioSep:
    """Builds the published sizes; maps have the levels that a trained network gives them."""
    model = AudioSep(RATE, N_FFT, HOP, None)
    nn.init.normal_(model.masker.head.weight, std=0.1)  # phases turn, about none
    for norm in (m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)):
        norm.momentum = None  # statistics of one pass
    with torch.no_grad():
        model(wav, query)
    return model.eval()


def timed(run: Callable[[Tensor, QueryEmbedding], Tensor], *args) -> tuple[Tensor, float]:
    """Runs once: output, seconds of CPU time."""
    start = time.process_time()
    with torch.no_grad():
        output = run(*args)
    return output, time.process_time() - start


def short() -> dict[str, float]:
    """Time of ours over the plain network, of two seconds, for `benchmarks.check`."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    wav = 0.1 * torch.randn(2 * RATE).cumsum(0).sin()
    pooled = F.normalize(torch.randn(1, 1, 512), dim=-1)
    mask = torch.ones(1, 1, 1, dtype=torch.bool)
    query = QueryEmbedding(torch.zeros(1, 1, 1, 1), mask, pooled)
    ours = build(wav, query)
    plain = PlainAudioSep(ours.masker)
    works = (lambda model=model: timed(model, wav, query) for model in (ours, plain))
    return {"AudioSep, as its authors write it = 1": ratio(*works, rounds=2)}


def main() -> None:
    """Prints CPU seconds and their ratios, and fails where outputs differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--queries", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--pairs", type=int, default=3, help="of one query; fewer of several")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    wav = 0.1 * torch.randn(RATE * args.seconds).cumsum(0).sin()
    for count in args.queries:
        pooled = F.normalize(torch.randn(1, count, 512), dim=-1)
        query = QueryEmbedding(
            torch.zeros(1, count, 1, 1), torch.ones(1, count, 1, dtype=torch.bool), pooled
        )
        ours = build(wav[: 4 * RATE], query)
        plain = PlainAudioSep(ours.masker)

        def half(wav: Tensor, query: QueryEmbedding, model: AudioSep = ours) -> Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                return model(wav, query)

        for run in (plain, ours, half):
            timed(run, wav[:RATE], query)
        for _ in range(max(1, args.pairs // count)):
            expected, baseline = timed(plain, wav, query)
            exact, seconds = timed(ours, wav, query)
            rounded, fewer = timed(half, wav, query)
            error = (exact - expected).abs().max() / expected.abs().max()
            ratio = expected.square().sum() / (rounded - expected).square().sum()
            sdr = 10 * ratio.log10()
            print(
                f"{count} queries: plain {baseline:.2f} s, ours {seconds:.2f} s "
                f"({seconds / baseline:.2f}), bf16 {fewer:.2f} s ({fewer / baseline:.2f}); "
                f"error {error:.1e} of the peak, bf16 SDR {sdr:.1f} dB",
                flush=True,
            )
            assert error < 2e-5 and sdr > 35


if __name__ == "__main__":
    main()
