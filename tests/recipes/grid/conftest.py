"""Experiment folders made by hand, as a grid leaves them."""

from __future__ import annotations

import json

import pytest
import yaml

LIST = "test_2src_seed0_0123456789ab.csv"


@pytest.fixture(scope="session")
def make_cell():
    """Writes a finished experiment whose figures are those given."""

    def make(folder, system, n_src, sdr, *, seed=0, half=0.5, own="", test_list=LIST, **data):
        name = f"mini_{system}_{n_src}src_seed{seed}" + (f"_{own}" if own else "")
        exp = folder / name
        (exp / "logs/version_0").mkdir(parents=True)
        conf = {"system": system, "seed": seed, "data": {"n_src": n_src, "share": 1.0} | data}
        (exp / "conf.yml").write_text(yaml.safe_dump(conf))
        means = {"sdr": sdr, "input_sdr": 0.25, "sdr_imp": sdr - 0.25, "sir": sdr + 2, "sar": 12.0}
        final = {
            **means,
            "interval_95": {key: [mean - half, mean + half] for key, mean in means.items()},
            "n_items": 100,
            "test_list": test_list,
        }
        (exp / "final_metrics.json").write_text(json.dumps(final))
        run = {
            "command": f"train.py --exp_dir exp/grid/{name}",
            "commit": "abc1234",
            "device": "CPU, 2 cores",
            "num_devices": 1,
            "minutes": 14.5,
            "steps": 900,
            "best_val_sdr": sdr - 1,
        }
        (exp / "run.json").write_text(json.dumps(run))
        log = "step,val_sdr,val_sir,val_sar\n99,1.0,2.0,3.0\n199,2.0,3.0,4.0\n"
        (exp / "logs/version_0/metrics.csv").write_text(log)
        return exp

    return make
