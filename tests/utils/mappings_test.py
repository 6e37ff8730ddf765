"""Keys with values are read from any file in bounded time, or refused in one sentence."""

from __future__ import annotations

import pytest

from asteroid_bimodal.hub.sanitize_paths import read_dict
from asteroid_bimodal.report.experiment import read_experiment
from asteroid_bimodal.utils.conf import read_conf
from asteroid_bimodal.utils.mappings import read_mapping

BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
)
BROKEN = {
    "not closed": "a: [1, 2",
    "a tab": "\tx: 1",
    "a list": "- a\n- b",
    "a number": "5",
    "bytes": b"\xff\xfe\x00a",
    "code": "a: !!python/object/apply:os.system ['touch sprung']",
    "a repeated part": "a: &x {b: 1}\nc: *x",
    "bomb": BOMB,
    "deep": "a: " + "[" * 200_000,
    "deep blocks": "a:\n" + "- " * 50_000 + "x",
    "deep and closed": "a: " + "[" * 40 + "]" * 40,
    "numbers as keys": "a: {1: 2}",
    "two documents": "a: 1\n---\nb: 2",
    "twice the same key": "a: 1\na: 2",
    "half a reference": "a: ${",
    "large": "a: " + "x" * 2**20,
}


@pytest.mark.parametrize("read", [read_mapping, read_conf, read_dict])
@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_one_sentence(tmp_path, monkeypatch, read, content):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "conf.yml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match="conf.yml (is not YAML: .|holds a list instead)") as got:
        read(path)
    assert "\n" not in str(got.value)
    assert [file.name for file in tmp_path.iterdir()] == ["conf.yml"]


@pytest.mark.parametrize(
    "content", ["{", "[]", "null", "[" * 200_000, '{"a": ' + "[" * 40 + "]" * 40 + "}", "\0"]
)
def test_broken_json_is_one_sentence(tmp_path, content):
    path = tmp_path / "run.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="run.json (is not JSON: .|holds a .* instead of keys)"):
        read_mapping(path)


def test_what_is_whole_is_read(tmp_path):
    path = tmp_path / "conf.yml"
    path.write_text("a: 1e-3\nb: {c: [1, null, text]}\nd: ${oc.env:HOME}\n")
    assert read_mapping(path) == {"a": 1e-3, "b": {"c": [1, None, "text"]}, "d": "${oc.env:HOME}"}
    path.write_text("")
    assert read_mapping(path) == {}


def test_a_report_says_what_it_could_not_read(tmp_path):
    (tmp_path / "conf.yml").write_text(BROKEN["deep"])
    (tmp_path / "run.json").write_text("[" * 200_000)
    found = read_experiment(tmp_path).unreadable
    assert [sentence.partition(":")[0] for sentence in found] == [
        "conf.yml cannot be read",
        "run.json cannot be read",
    ]
    assert str(tmp_path) not in " ".join(found)
