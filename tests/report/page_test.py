"""The page as a reader gets it: complete, escaped, self-contained, and never a crash."""

from __future__ import annotations

import json
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pytest

from asteroid_bimodal.metrics import evaluate_item, summarise, write_json, write_rows
from asteroid_bimodal.report import Example, write_report

RATE = 8000
NASTY = '"><script>alert(1)</script> & $x_2$ --> é 二胡'


class Page(HTMLParser):
    """Collects tags, text and what the tags ask for."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.ids, self.text, self.open = [], Counter(), "", []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids.update(value for name, value in attrs if name == "id")
        if tag not in ("meta", "br", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag not in ("meta", "br", "path"):
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def item(seed, phrases):
    rng = np.random.default_rng(seed)
    references = rng.standard_normal((len(phrases), 4000)) / 10
    estimates = references + 0.02 * rng.standard_normal(references.shape)
    return estimates, references, references.sum(0)


@pytest.fixture
def experiment(tmp_path):
    """A folder with everything in it, labels and names as a hostile user would choose them."""
    rows, examples = [], []
    for number in range(4):
        phrases = [NASTY, "violin"] if number < 2 else ["flute", "tuba", "violin"]
        signals = item(number, phrases)
        of_item = evaluate_item(*signals, phrases=phrases, sample_rate=RATE)
        rows += [{"item": str(number), "label": row["phrase"], **row} for row in of_item]
        if number < 2:
            estimates, references, mixture = signals
            residual = mixture - estimates.sum(0)
            examples.append(
                Example(NASTY, RATE, mixture, references, estimates, phrases, of_item, residual)
            )
    write_rows(rows, tmp_path / "metrics.csv")
    skipped = [{"item": NASTY, "reason": "empty file"}]
    write_json(summarise(rows, skipped), tmp_path / "final_metrics.json")
    (tmp_path / "conf.yml").write_text(f"system: bimodal_clap\ntitle: '{NASTY}'\n", "utf-8")
    run = {"command": "train.py --tag <b>", "device": "CPU, 2 cores", "minutes": 12.5}
    run["commit"] = "0123abc"
    (tmp_path / "run.json").write_text(json.dumps(run))
    (tmp_path / "skipped.csv").write_text("path,reason,times\na.wav,not a number,3\n")
    log = tmp_path / "logs" / "csv" / "metrics.csv"
    log.parent.mkdir(parents=True)
    log.write_text("epoch,step,loss_step,train_url,val_sdr\n0,9,2.0,,\n0,9,,1.5,\n0,9,,,3.5\n")
    return tmp_path, examples


def test_complete_page(experiment):
    folder, examples = experiment
    path = write_report(folder, examples=examples, title=NASTY)
    assert path == folder / "report.html"
    page = Page(path)
    assert page.open == [] and max(page.ids.values()) == 1
    assert NASTY in page.text
    for expected in (
        "4 test items with 10 sources",
        "By number of sources",
        "SDR improvement by class",
        "Validation quality",
        "URL, reconstruction by captions",
        "CPU, 2 cores",
        "12.5 min",
        "0123abc",
        "train.py --tag <b>",
        "empty file",
        "not a number (3 times)",
        "Spectrum of the estimates",
    ):
        assert expected in page.text, expected
    assert len(page.all("audio")) == 2 * (2 + 2 * 2)


def test_nothing_runs_and_nothing_is_fetched(experiment):
    folder, examples = experiment
    page = Page(write_report(folder, examples=examples, title=NASTY))
    assert not page.all("script") and not page.all("img") and not page.all("link")
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), value
    assert "url(http" not in (folder / "report.html").read_text(encoding="utf-8")
    policy = [m for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy[0]["content"].startswith("default-src 'none'")


def test_everything_seen_or_heard_has_a_name(experiment):
    folder, examples = experiment
    page = Page(write_report(folder, examples=examples))
    for tag in ("svg", "audio"):
        assert page.all(tag) and all(len(a.get("aria-label", "")) > 10 for a in page.all(tag))
    assert page.all("html")[0]["lang"] == "en" and len(page.all("h1")) == 1
    targets = {a["href"][1:] for a in page.all("a")}
    assert targets <= set(page.ids)


def test_empty_folder_is_described_in_words(tmp_path):
    page = Page(write_report(tmp_path))
    for sentence in (
        "No test results",
        "No training log was found",
        "No rows of single test items",
        "No examples were kept",
        "every clip that was asked for could be used",
        "No configuration (conf.yml) was found",
    ):
        assert sentence in page.text, sentence
    assert tmp_path.name in page.text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("conf.yml", "a: [1"),
        ("run.json", "[1]"),
        ("final_metrics.json", "{"),
        ("metrics.csv", "sdr\n1.0\n"),
        ("train_metrics.csv", "a,b\n1,2,3\n1,2,3,4\n"),
        ("skipped.csv", ""),
    ],
)
def test_broken_file_is_named_and_the_rest_is_shown(experiment, name, content):
    folder, examples = experiment
    (folder / name).write_text(content)
    page = Page(write_report(folder, examples=examples))
    notes = [a for a in page.all("p") if a.get("role") == "note"]
    assert len(notes) == 1 and "cannot be read" in page.text
    assert len(page.all("audio")) == 12


def test_silent_reference_is_said(tmp_path):
    estimates, references, mixture = item(0, ["a", "b"])
    references[0] = 0
    rows = evaluate_item(estimates, references, mixture, phrases=["a", "b"], sample_rate=RATE)
    example = Example("x", RATE, mixture, references, estimates, ["a", "b"], rows)
    page = Page(write_report(tmp_path, examples=[example]))
    assert "Not scored: the reference is silent" in page.text


def test_real_recording_without_references(tmp_path):
    estimates, _, mixture = item(0, ["a", "b"])
    example = Example("street", RATE, mixture, None, estimates, ["a", "b"])
    page = Page(write_report(tmp_path, examples=[example]))
    assert len(page.all("audio")) == 3 and "Not scored" in page.text


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="Train one first"):
        write_report(tmp_path / "nowhere")


def test_many_classes_show_the_best_and_the_worst(tmp_path):
    rows = [{"item": str(n), "label": f"class {n:03d}", "sdr_imp": float(n)} for n in range(60)]
    write_rows(rows, tmp_path / "metrics.csv")
    page = Page(write_report(tmp_path))
    assert "The best and the worst 20 of 60 classes" in page.text
    assert "class 000 (1)" in page.text and "class 030 (1)" not in page.text


def test_size_for_four_examples(tmp_path):
    rng = np.random.default_rng(0)
    signals = 0.1 * rng.standard_normal((5, 4 * RATE))
    example = Example("x", RATE, signals[0], signals[1:3], signals[3:], ["a", "b"])
    path = write_report(tmp_path, examples=[example] * 4)
    assert path.stat().st_size < 6e6
