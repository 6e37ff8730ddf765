"""Lightning's CSV logs become panels."""

from __future__ import annotations

import numpy as np
import pytest

from asteroid_bimodal.report.training_curves import find_logs, read_panels

LOG = """epoch,step,loss_step,loss_epoch,train_url,val_sdr,val_sir,val_sar,lr-Adam,grad_norm,note
0,0,4.0,,,,,,,1.0,a
0,9,,,,1.0,2.0,3.0,,,b
0,9,,3.0,2.0,,,,,,
1,10,2.0,,,,,,0.01,nan,
1,19,,,,5.0,inf,7.0,,,
1,19,,1.0,1.0,,,,,,
"""


@pytest.fixture
def panels(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(LOG)
    return {panel.title: panel for panel in read_panels([path])}


def test_quality_comes_first_then_losses_then_the_rest(panels):
    assert list(panels) == [
        "Validation quality",
        "Total loss",
        "URL, reconstruction by captions",
        "Gradient norm before clipping",
        "Learning rate",
    ]


def test_values_stand_at_their_steps(panels):
    quality = {s.name: s for s in panels["Validation quality"].series}
    assert list(quality) == ["SDR", "SIR", "SAR"]
    assert quality["SDR"].x.tolist() == [9, 19] and quality["SDR"].y.tolist() == [1.0, 5.0]
    assert quality["SIR"].y.tolist() == [2.0]  # infinite values cannot be drawn
    loss = {s.name: s.y.tolist() for s in panels["Total loss"].series}
    assert loss == {"training, single steps": [4.0, 2.0], "training, epoch means": [3.0, 1.0]}


def test_description_says_how_curves_run(panels):
    assert "SDR from 1 to 5" in panels["Validation quality"].description
    assert 'aria-label="Validation quality over training: ' in panels["Validation quality"].svg


def test_resumed_runs_are_joined_in_order(tmp_path):
    for version, steps in (("version_1", (20, 30)), ("version_0", (0, 10))):
        folder = tmp_path / "logs" / version
        folder.mkdir(parents=True)
        (folder / "metrics.csv").write_text("step,loss\n" + "".join(f"{s},{s}.5\n" for s in steps))
    (panel,) = read_panels(find_logs(tmp_path))
    assert panel.series[0].x.tolist() == [0, 10, 20, 30]


def test_what_was_trained_again_is_drawn_once(tmp_path):
    """A run that was killed had logged more than its last checkpoint knew."""
    parts = {0: range(0, 60, 10), 2: range(30, 50, 10), 10: range(40, 80, 10), 11: ()}
    for version, steps in parts.items():
        folder = tmp_path / f"logs/version_{version}"
        folder.mkdir(parents=True)
        rows = "".join(f"{step},{step}.{version:02}\n" for step in steps)
        (folder / "metrics.csv").write_text("step,loss\n" + rows)
    (tmp_path / "logs/version_10/metrics.csv").open("a").write("80,9")  # half a row
    (panel,) = read_panels(find_logs(tmp_path))
    assert panel.series[0].x.tolist() == [0, 10, 20, 30, 40, 50, 60, 70]
    assert panel.series[0].y.tolist() == [0.0, 10.0, 20.0, 30.02, 40.1, 50.1, 60.1, 70.1]


def test_long_curves_stay_small(tmp_path):
    path = tmp_path / "metrics.csv"
    values = np.random.default_rng(0).standard_normal(20_000)
    path.write_text("step,loss\n" + "".join(f"{i},{v}\n" for i, v in enumerate(values)))
    (panel,) = read_panels([path])
    assert len(panel.svg) < 60_000


def test_nothing_logged(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step\n0,1\n")
    assert read_panels([path]) == [] == read_panels([])
