"""Text-conditioned MixIT against Asteroid's wrapper: time and memory of one training step.

Each measurement runs in a fresh process with one thread, forward and backward, on two examples of
two mixtures; CPU time is the least of several repeats, memory the growth of the process's peak.

    python benchmarks/mixit.py                 # 4 to 12 sources, and 16 without Asteroid
    python benchmarks/mixit.py --loss sisdr --sources 4 8
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time

LIMIT_FOR_ASTEROID = 12
LOSSES = {"mse": "multisrc_mse", "snr": "multisrc_neg_snr", "sisdr": "multisrc_neg_sisdr"}


def measure(wrapper: str, loss: str, n_src: int, seconds: float, rate: int) -> dict[str, float]:
    """Times one wrapper in this process.

    Args:
        wrapper: "asteroid" or "ours".
        loss: a key of `LOSSES`.
        n_src: number of estimates, none of which is known.
        seconds: length of the signals.
        rate: samples a second.

    Returns:
        Least CPU time in seconds, growth of peak memory in MB, and the loss.
    """
    import asteroid.losses
    import torch

    from asteroid_bimodal.losses import TextConditionedMixIT

    torch.set_num_threads(1)
    torch.manual_seed(0)
    wrappers = {"asteroid": asteroid.losses.MixITLossWrapper, "ours": TextConditionedMixIT}
    loss_func = wrappers[wrapper](getattr(asteroid.losses, LOSSES[loss]))
    est = torch.randn(2, n_src, int(seconds * rate), requires_grad=True)
    mixtures = torch.randn(2, 2, int(seconds * rate))
    # A first step that is not measured: imports, allocator, thread pools.
    loss_func(est[:, :2], mixtures).backward()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    while len(times) < 2 or (sum(times) < 3 and len(times) < 20):
        est.grad = None
        start = time.process_time()
        value = loss_func(est, mixtures)
        value.backward()
        times.append(time.process_time() - start)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"seconds": min(times), "megabytes": grown, "loss": value.item()}


def in_fresh_process(wrapper: str, n_src: int, args: argparse.Namespace) -> dict[str, float]:
    """Runs `measure` in a process of its own, so that peaks of memory do not mix."""
    options = f"--loss {args.loss} --seconds {args.seconds} --rate {args.rate}".split()
    command = [sys.executable, __file__, "--only", wrapper, "--sources", str(n_src), *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(args: argparse.Namespace) -> None:
    """Prints a Markdown table of both wrappers."""
    print("| sources | Asteroid s | ours s | times faster | Asteroid MB | ours MB | same loss |")
    print("|-:|-:|-:|-:|-:|-:|:-:|")
    for n_src in args.sources:
        ours = in_fresh_process("ours", n_src, args)
        line = [
            f"{n_src}",
            "–",
            f"{ours['seconds']:.4f}",
            "–",
            "–",
            f"{ours['megabytes']:.0f}",
            "–",
        ]
        if n_src <= LIMIT_FOR_ASTEROID:
            theirs = in_fresh_process("asteroid", n_src, args)
            line[1] = f"{theirs['seconds']:.3f}"
            line[3] = f"{theirs['seconds'] / ours['seconds']:.0f}"
            line[4] = f"{theirs['megabytes']:.0f}"
            difference = abs(ours["loss"] - theirs["loss"])
            line[6] = "yes" if difference <= 1e-6 * max(1, abs(theirs["loss"])) else "NO"
        print(f"| {' | '.join(line)} |", flush=True)


def short() -> dict[str, float]:
    """Time of ours over Asteroid's, for `benchmarks.check`."""
    ours, theirs = (measure(name, "snr", 8, 0.5, 16000) for name in ("ours", "asteroid"))
    return {"MixIT of 8 sources, Asteroid = 1": ours["seconds"] / theirs["seconds"]}


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sources", type=int, nargs="+", default=[4, 6, 8, 10, 12, 16])
    parser.add_argument("--loss", choices=LOSSES, default="snr")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of the signals")
    parser.add_argument("--rate", type=int, default=16000, help="samples a second")
    parser.add_argument("--only", choices=["asteroid", "ours"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(measure(args.only, args.loss, args.sources[0], args.seconds, args.rate)))
    else:
        compare(args)


if __name__ == "__main__":
    main()
