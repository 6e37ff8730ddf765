import asteroid.models
import pytest
import torch
from asteroid.models import BaseModel

from asteroid_bimodal.utils.asteroid_compat import register_model, with_plain_versions


@pytest.fixture
def forget():
    yield
    if hasattr(asteroid.models, "Invented"):
        delattr(asteroid.models, "Invented")


def make_model_class():
    class Invented(BaseModel):
        pass

    return Invented


def test_versions_become_text_and_the_original_stays():
    versions = {"torch_version": torch.__version__, "asteroid_version": "0.7.0"}
    conf = {"state_dict": {}, "infos": {"software_versions": versions, "dataset": "MUSIC"}}
    plain = with_plain_versions(conf)
    stored = plain["infos"]["software_versions"]
    assert all(type(version) is str for version in stored.values())
    assert stored == {"torch_version": str(torch.__version__), "asteroid_version": "0.7.0"}
    assert plain["infos"]["dataset"] == "MUSIC" and plain["state_dict"] is conf["state_dict"]
    assert conf["infos"]["software_versions"]["torch_version"] is torch.__version__


def test_asteroid_finds_a_model_after_its_module_was_imported_again(forget):
    first, again = make_model_class(), make_model_class()
    register_model(first)
    assert asteroid.models.get("Invented") is first
    register_model(again)
    assert asteroid.models.get("Invented") is again


def test_a_name_that_somebody_else_has_stays_theirs():
    class ConvTasNet(BaseModel):
        pass

    with pytest.raises(ValueError, match="already exists"):
        register_model(ConvTasNet)
    assert asteroid.models.get("ConvTasNet").__module__.startswith("asteroid.")
