"""The real client uploads to a stand-in for the hub, whatever happens on the way."""

from __future__ import annotations

import pytest
import torch
from hub_server import DROP, DROP_ANSWER, Repo

from asteroid_bimodal.hub import publish, write_publish_dir
from asteroid_bimodal.models import BiModalUNet

PUT = "^PUT /lfs"


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_upload_makes_the_repository_and_sends_small_and_large_files(experiment, hub):
    url = publish(experiment, "me/tiny", private=True, bundle_encoder=True)
    assert url == f"{hub.address}/me/tiny"
    assert hub.repos["me/tiny"].private
    folder = experiment / "publish_dir"
    assert hub.files("me/tiny") == contents(folder)
    assert "query_encoder/model.safetensors" in hub.files("me/tiny")
    modes = {mode for mode, _ in hub.repos["me/tiny"].find("main")[1].values()}
    assert modes == {"regular", "lfs"}
    assert hub.asked["put"] and hub.asked["put_part"] > 2 * hub.asked["complete"] > 0
    assert len(hub.repos["me/tiny"].commits) == 1
    assert b'from_pretrained("me/tiny")' in hub.files("me/tiny")["README.md"]


def test_what_was_uploaded_comes_back_with_equal_weights(folder, hub, tiny_model):
    publish(folder, "me/tiny")
    loaded = BiModalUNet.from_pretrained("me/tiny")
    for name, value in tiny_model().state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=0, atol=0)


def test_folder_changed_by_hand_goes_up_as_it_is(folder, hub):
    (folder / "README.md").write_text("mine")
    publish(folder, "me/tiny")
    assert hub.files("me/tiny")["README.md"] == b"mine"
    with pytest.raises(ValueError, match="uploaded as it is.*publish the experiment again"):
        publish(folder, "me/tiny", bundle_encoder=True)


def test_what_is_left_out_since_does_not_stay_public(experiment, hub):
    hub.add("me/tiny", {".gitattributes": b"", "LICENSE": b"mine"})
    publish(experiment, "me/tiny", bundle_encoder=True)
    assert {"example/mixture.flac", "report.html"} <= set(hub.files("me/tiny"))
    publish(experiment, "me/tiny", example=False)
    kept = {".gitattributes": b"", "LICENSE": b"mine"}
    assert hub.files("me/tiny") == {**contents(experiment / "publish_dir"), **kept}
    assert not {"example/mixture.flac", "report.html"} & set(hub.files("me/tiny"))
    assert not any(name.startswith("query_encoder/") for name in hub.files("me/tiny"))


@pytest.mark.parametrize("token", ["hf_wrong", ""])
def test_wrong_token_and_none_are_one_sentence(folder, hub, monkeypatch, token):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(ConnectionError, match=r"Could not upload .* to me/tiny: .*401.*HF_TOKEN"):
        publish(folder, "me/tiny")
    assert not hub.repos


def test_card_changed_after_a_dry_run_goes_up(experiment, hub):
    (write_publish_dir(experiment) / "README.md").write_text("mine")
    with pytest.warns(UserWarning, match="changed by hand"):
        publish(experiment, "me/tiny")
    assert hub.files("me/tiny")["README.md"] == b"mine"


def test_no_network_is_waited_for_and_then_one_sentence(folder, hub, waits):
    hub.close()
    with pytest.raises(ConnectionError, match="Could not upload .* to me/tiny: ") as error:
        publish(folder, "me/tiny")
    assert len(waits) == 3
    assert "Check the network" in str(error.value) and "HF_TOKEN" not in str(error.value)


def test_private_model_does_not_go_to_a_public_repository(folder, hub):
    hub.repos["me/tiny"] = Repo(private=False)
    with pytest.raises(ValueError, match="me/tiny is public; nothing was uploaded"):
        publish(folder, "me/tiny", private=True)
    assert not hub.repos["me/tiny"].commits and not hub.stored


@pytest.mark.parametrize("step", ["repos/create", "preupload", "objects/batch", PUT, "/commit/"])
@pytest.mark.parametrize("status", [429, 500, 503, DROP])
def test_passing_troubles_of_the_hub_are_waited_for(folder, hub, waits, step, status):
    hub.troubles[step] = [status, status]
    publish(folder, "me/tiny")
    assert hub.files("me/tiny") == contents(folder)
    assert len(hub.repos["me/tiny"].commits) == 1
    assert waits and sum(waits) < 60


def test_lasting_troubles_end_in_one_sentence(folder, hub, waits):
    hub.troubles["repos/create"] = [503] * 99
    with pytest.raises(ConnectionError, match="503.*publish again: nothing is lost"):
        publish(folder, "me/tiny")
    assert len(hub.troubles["repos/create"]) == 99 - 4 and len(waits) == 3


def test_refusals_are_not_repeated(folder, hub, waits):
    hub.troubles["repos/create"] = [403] * 9
    with pytest.raises(ConnectionError, match="403"):
        publish(folder, "me/tiny")
    assert len(hub.troubles["repos/create"]) == 8 and not waits


def test_interrupted_upload_is_repeated_safely(folder, hub, waits):
    hub.troubles[f"{PUT}/\\w+/part/3"] = [DROP] * 99
    with pytest.raises(ConnectionError, match="publish again: nothing is lost"):
        publish(folder, "me/tiny")
    assert not hub.repos["me/tiny"].commits  # nothing half is ever visible
    stored = set(hub.stored)
    assert stored  # the other large files have arrived

    hub.troubles.clear()
    hub.asked.clear()
    publish(folder, "me/tiny")
    assert hub.files("me/tiny") == contents(folder)
    assert hub.asked["put"] + hub.asked["complete"] == len(hub.stored) - len(stored)

    publish(folder, "me/tiny")
    assert len(hub.repos["me/tiny"].commits) == 1  # nothing new is no commit


def test_answer_that_is_lost_does_no_harm(folder, hub, waits):
    """The commit was made, the client never heard of it."""
    publish(folder, "me/tiny")
    hub.troubles["/commit/"] = [DROP_ANSWER]
    (folder / "README.md").write_text("newer")
    publish(folder, "me/tiny")
    assert not hub.troubles["/commit/"]
    assert hub.files("me/tiny")["README.md"] == b"newer"
    assert len(hub.repos["me/tiny"].commits) == 2


@pytest.mark.parametrize("repo_id", ["tiny", "me/tiny/x", "me/ti ny", "/tiny", ""])
def test_name_that_is_no_repository_is_refused_before_any_work(experiment, repo_id):
    with pytest.raises(ValueError, match="[Rr]epo"):
        publish(experiment, repo_id)
    assert not (experiment / "publish_dir").exists()
