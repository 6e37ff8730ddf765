"""Problems stand beside the field that they are of; results make room for newer ones."""

from __future__ import annotations

import warnings

import pytest

from asteroid_bimodal.demo import LazyModels, answers
from asteroid_bimodal.demo.page import _describe


def test_warnings_are_shown_once_each_beside_their_field(model, tmp_path, monkeypatch):
    def parse(*_, **__):
        for kind in (UserWarning, UserWarning, FutureWarning):
            warnings.warn("breaks off", kind, stacklevel=1)
        raise answers.QueryError("<no> word")

    monkeypatch.setattr(answers, "parse_queries", parse)
    page = answers.Answers({"tiny": model}, tmp_path, 600)
    found, of_audio, of_queries = page.answer(None, "", "", None, "", "tiny", None)
    assert found == answers.EMPTY
    assert of_audio.count("breaks off") == 1 and "&lt;no&gt; word" in of_queries


def test_progress_is_that_of_the_windows(model, noise, tmp_path):
    told = []
    page = answers.Answers({"tiny": model}, tmp_path, 600)
    path = noise(length=900_000)
    page.answer(path, "violin", "", None, "", "tiny", lambda *step: told.append(step))
    assert len(told) > 2 and told == sorted(told) and told[-1] == (900_000, 900_000)


def test_a_failed_question_leaves_nothing(model, noise, tmp_path):
    page = answers.Answers({"tiny": model}, tmp_path / "results", 600)
    page.answer(noise(length=20), "violin", "", None, "", "tiny", lambda *_: None)
    assert not list((tmp_path / "results").iterdir())


def test_only_models_that_are_chosen_are_loaded(model):
    loaded = []

    def load(name):
        loaded.append(name)
        if name == "broken":
            raise ValueError("broken is no model.")
        return model

    models = LazyModels(["tiny", "broken", "other"], load)
    assert list(models) == ["tiny", "broken", "other"] and not loaded
    assert "Loading tiny" in next(_describe(models, "tiny")) and not loaded
    for _ in range(2):
        assert "kHz" in list(_describe(models, "tiny"))[-1]
    assert "broken is no model." in list(_describe(models, "broken"))[-1]
    assert loaded == ["tiny", "broken"]
    with pytest.raises(KeyError):
        models["another"]
