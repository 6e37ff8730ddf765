"""File names of outputs."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from asteroid_bimodal.models import CLIPSep
from asteroid_bimodal.queries import ClipImageEncoder, Query
from asteroid_bimodal.separate import output_names, separate_files


@pytest.mark.parametrize(
    ("queries", "residual"),
    [
        (["violin", "violin"], False),
        (["a flute", "a/flute"], False),
        (["Violin", "violin"], False),
        (["residual"], True),
    ],
)
def test_queries_with_the_same_file_name_are_refused(queries, residual):
    with pytest.raises(ValueError, match="different file names"):
        output_names(queries, residual)


@pytest.mark.parametrize("queries", [[], [""], ["violin", "  \n"], [3], [None], "violin"])
def test_queries_that_are_empty_or_not_text_are_refused_before_any_work(tmp_path, queries):
    with pytest.raises(ValueError, match="Expected .*quer"):
        separate_files(None, [tmp_path / "duet.wav"], queries)


def test_text_that_is_not_unicode_is_refused():
    with pytest.raises(ValueError, match="Expected queries of text"):
        output_names([os.fsdecode(b"fl\xfcte")])


def test_outputs_are_named_by_files_blends_and_what_is_left_out():
    queries = ["violin", Query.like("a/my flute.wav"), Query.picture("b.png", name="tuba")]
    queries += [Query.blend("low", [("tuba", 1.0), ("cello", 2.0)])]
    assert output_names(queries) == ["violin", "my_flute", "tuba", "low"]
    assert output_names(["violin"], without=["a/drum", "bass"]) == ["violin_without_a_drum_bass"]
    assert output_names([], True, without=["drums"]) == ["without_drums", "residual"]


@pytest.mark.parametrize("without", [[""], [3], "drums"])
def test_what_is_left_out_has_to_be_text(without):
    with pytest.raises(ValueError, match="Expected .*quer"):
        output_names(["violin"], without=without)


def test_names_of_queries_that_are_left_out_fit_a_file_system():
    (name,) = output_names(["q" * 300], without=["w" * 300])
    assert len(name) < 80


def test_picture_file_names_the_output(tmp_path, write, noise):
    Image.new("RGB", (40, 30), (200, 30, 0)).save(tmp_path / "my photo.png")
    path = write(tmp_path / "duet.wav", noise())
    encoder = ClipImageEncoder("mini")
    sizes = {"pooled_dim": encoder.pooled_dim, "num_downs": 5, "ngf": 2}
    model = CLIPSep(8000, 126, 32, encoder, **sizes).eval()
    results = separate_files(model, [path], [Query.picture(tmp_path / "my photo.png")])
    assert [path.name for path in results.written] == ["duet_my_photo.wav"]
