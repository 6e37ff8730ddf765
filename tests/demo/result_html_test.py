"""What the page shows of an result."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asteroid_bimodal.demo import DemoResult, Track
from asteroid_bimodal.demo.figures import Picture
from asteroid_bimodal.demo.result_html import render_result
from asteroid_bimodal.models import Score

PICTURE = Picture("data:image/png;base64,AAAA", {"0.5": 0.3, "1": 0.5, "2": 0.8})


@pytest.fixture
def result():
    def make(name="violin", seconds=8.0, picture=PICTURE):
        mixture = Track("mixture", Path("dir/a b#1.wav"), picture)
        estimate = Track(name, Path("dir/a_violin.wav"), picture, Score(-3.04, 0.934))
        residual = Track("residual", Path("dir/a_residual.wav"), picture)
        return DemoResult("a b.wav", 44100, 2, seconds, mixture, [estimate], residual)

    return make


def test_each_track_has_a_title_a_picture_a_player_and_a_link(result):
    html = render_result(result())
    assert re.findall("<h3>(.*?)</h3>", html) == ["mixture", "violin", "residual"]
    assert html.count("<audio ") == html.count("<img ") == html.count("download=") == 3
    assert "8 s · stereo · 44100 Hz" in html


def test_only_estimates_have_a_level_and_a_likelihood(result):
    scores = re.findall('<span class="abm-score">(.*?)</span>', render_result(result()))
    assert scores == ["", "sure, -3.0 dB", ""]


def test_addresses_are_quoted_and_relative_so_that_they_work_behind_a_tunnel(result):
    assert 'src="gradio_api/file=dir/a%20b%231.wav"' in render_result(result())


def test_the_highest_tick_has_the_unit(result):
    html = render_result(result())
    assert html.count("2 kHz") == 3 and "1 kHz" not in html
    assert "kHz" not in render_result(result(picture=Picture("", {})))


def test_queries_are_text_and_no_markup(result):
    html = render_result(result('<img src=x onerror="alert(1)">'))
    assert "<img src=x" not in html and "&lt;img src=x" in html


@pytest.mark.parametrize("seconds, text", [(0.25, "0.25 s"), (61, "1:01 min"), (600, "10:00 min")])
def test_times(result, seconds, text):
    assert text in render_result(result(seconds=seconds))
