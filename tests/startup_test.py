"""What an import brings along: Asteroid knows the models, and nothing is needed before its time."""

from __future__ import annotations

import configparser
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import asteroid_bimodal
from asteroid_bimodal import BiModalUNet
from asteroid_bimodal.utils.extras import extra

ROOT = Path(__file__).parents[1]
# Modules of the extras, by the extra that has them.
OF_EXTRAS = {
    "recipes": ("matplotlib", "midirenderer", "omegaconf", "pretty_midi"),
    "demo": ("gradio",),
    "download": ("yt_dlp", "imageio_ffmpeg"),
    "shards": ("webdataset",),
    "image": ("PIL",),
    "export": ("onnx", "onnxscript"),
}
BLOCKED = f"import sys; sys.modules.update(dict.fromkeys({sum(OF_EXTRAS.values(), ())}))\n"


def run(code: str, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def prints(code: str, *arguments: object) -> str:
    result = run(code, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        *((["--help"], 0), (["--version"], 0), (["nonsense"], 2), (["separate"], 2), ([], 2)),
        (["separate", "README.md"], 2),
        (["separate", "no.wav", "violin"], "asteroid-bimodal: no.wav does not exist."),
    ],
)
def test_help_and_usage_errors_wait_for_nothing(arguments, status):
    code = """
import sys
from asteroid_bimodal.cli import main
try:
    main(sys.argv[1:])
except SystemExit as stopped:
    print("status", stopped.code)
heavy = {"torch", "asteroid", "numpy", "soundfile", "transformers"}
print("heavy", sorted(heavy & set(sys.modules)))
"""
    assert prints(code, *arguments).splitlines()[-2:] == [f"status {status}", "heavy []"]


def test_separating_by_a_known_word_waits_for_nothing_else(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 8000), 8000)
    code = """
import sys
from asteroid_bimodal.cli import main
main(["separate", sys.argv[1], "violin", "The sound of flute"])
heavy = {"huggingface_hub.hf_api", "pandas", "pytorch_lightning", "torchmetrics", "transformers"}
print("heavy", sorted(heavy & set(sys.modules)))
"""
    assert prints(code, tmp_path / "a.wav").splitlines()[-1] == "heavy []"
    assert len(list(tmp_path.glob("a_*.wav"))) == 2


def test_python_m():
    result = subprocess.run(
        [sys.executable, "-m", "asteroid_bimodal", "--version"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert (result.returncode, result.stdout.strip()) == (0, asteroid_bimodal.__version__)


@pytest.mark.parametrize(
    "imports",
    [
        "import asteroid_bimodal; import asteroid.models",
        "import asteroid.models; import asteroid_bimodal",
        "import asteroid; import asteroid_bimodal",
        "import asteroid_bimodal; from asteroid.losses import sdr; import asteroid.models",
        "from asteroid_bimodal.losses import TextConditionedMixIT; import asteroid.models",
        "from asteroid_bimodal.utils.asteroid_compat import register_model; import asteroid.models",
        "from asteroid_bimodal.hub import load_model; import asteroid.models",
    ],
)
def test_asteroid_finds_the_models(imports):
    names = [f"asteroid.models.get({name!r}).__name__" for name in ("BiModalUNet", "CLIPSep")]
    assert prints(f"{imports}\nprint({', '.join(names)})") == "BiModalUNet CLIPSep"


def test_stock_asteroid_loads_a_saved_model(tmp_path):
    code = """
import sys, torch, asteroid_bimodal
from asteroid.models import BaseModel
print(type(BaseModel.from_pretrained(sys.argv[1])).__name__)
"""
    import torch

    sizes = {"cond_dim": 4, "pooled_dim": 4, "num_downs": 5, "ngf": 2, "num_heads": 2}
    model = BiModalUNet(8000, 126, 32, None, **sizes)
    torch.save(model.serialize(), tmp_path / "best_model.pth")
    assert prints(code, tmp_path / "best_model.pth").splitlines()[-1] == "BiModalUNet"


def test_the_face_of_the_package():
    assert {*asteroid_bimodal.__all__, "losses", "models"} <= set(dir(asteroid_bimodal))
    assert (
        asteroid_bimodal.losses.TextConditionedMixIT.__module__ == "asteroid_bimodal.losses.mixit"
    )
    assert pickle.loads(pickle.dumps(BiModalUNet)) is asteroid_bimodal.BiModalUNet
    with pytest.raises(AttributeError, match="has no attribute 'BiModalNet'"):
        asteroid_bimodal.BiModalNet  # noqa: B018
    parts = {path.parent.name for path in ROOT.glob("asteroid_bimodal/*/__init__.py")}
    assert parts <= set(dir(asteroid_bimodal))


def test_separating_and_losses_need_no_extra():
    code = """
import numpy as np
import asteroid_bimodal
from asteroid_bimodal import BiModalUNet
from asteroid_bimodal.losses import TextConditionedMixIT
from asteroid_bimodal.metrics import si_sdr
from asteroid_bimodal.separate import separate_files
from asteroid.losses import multisrc_neg_snr
TextConditionedMixIT(multisrc_neg_snr)
model = BiModalUNet.from_pretrained("mini")
wav = np.random.default_rng(0).uniform(-0.1, 0.1, 8000).astype(np.float32)
violin, flute = model.separate(wav, queries=["violin", "flute"])
print(violin.shape[-1])
"""
    assert prints(BLOCKED + code).splitlines()[-1] == "8000"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("from asteroid_bimodal.engine.recipe import recipe_conf", "recipes"),
        ("from asteroid_bimodal.report import write_report", "recipes"),
        ("from asteroid_bimodal.demo import serve", "demo"),
    ],
)
def test_a_missing_extra_is_named(code, name):
    last = run(BLOCKED + code).stderr.strip().splitlines()[-1]
    assert re.fullmatch(r"ModuleNotFoundError: \w+ is not installed. Run `pip install .*`\.", last)
    assert f'"asteroid-bimodal[{name}]"' in last


def test_a_command_without_its_extra_is_one_line(tmp_path):
    code = "from asteroid_bimodal.cli import main; main(['report', sys.argv[1]])"
    last = run(BLOCKED + code, tmp_path).stderr.strip().splitlines()[-1]
    assert re.fullmatch(r'asteroid-bimodal: \w+ is not installed. Run `pip .*\[recipes\]"`\.', last)


def test_a_module_of_our_own_is_no_extra():
    with pytest.raises(ModuleNotFoundError, match="No module named 'asteroid_bimodal.nonsense'"):
        with extra("recipes"):
            import asteroid_bimodal.nonsense  # noqa: F401


def test_what_everybody_installs_has_nothing_of_the_extras():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    everybody = setup["options"]["install_requires"]
    of_recipes = setup["options.extras_require"]["recipes"]
    for module in OF_EXTRAS["recipes"]:
        assert module not in everybody and module in of_recipes
