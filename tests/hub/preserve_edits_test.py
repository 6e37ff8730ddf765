"""Edits by hand are told from what this package wrote."""

from __future__ import annotations

import pytest

from asteroid_bimodal.hub.preserve_edits import preserve_edits, sign

TEXT = "---\nlicense: mit\n---\n\n# Über\n<!-- a comment -->\n"


@pytest.fixture
def folders(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "README.md").write_text(sign(f"of {folder.name}"), encoding="utf-8")
    return old, new


def test_signed_card_is_the_card_with_a_comment():
    card = sign(TEXT)
    assert card.startswith(TEXT) and card.count("\n<!-- ") == 2
    assert sign(TEXT) == card != sign(TEXT + " ")


def test_card_as_written_gives_way(folders, recwarn):
    old, new = folders
    (old / "README.md").write_text(sign(TEXT), encoding="utf-8")
    preserve_edits(old, new, [])
    assert (new / "README.md").read_text() == sign("of new") and not recwarn.list


CHANGED = {
    "more before": b"Mine. " + sign(TEXT).encode(),
    "more after": sign(TEXT).encode() + b"Mine.",
    "less": sign(TEXT).replace("license", "").encode(),
    "without the comment": TEXT.encode(),
    "of an earlier version": b"# A model\n",
    "not UTF-8": sign(TEXT).encode() + b"\xff",
    "empty": b"",
}


@pytest.mark.parametrize("change", CHANGED)
def test_card_changed_by_hand_stays(folders, change):
    old, new = folders
    (old / "README.md").write_bytes(CHANGED[change])
    with pytest.warns(UserWarning, match="README.md was changed by hand .* Delete it"):
        preserve_edits(old, new, [])
    assert (new / "README.md").read_bytes() == CHANGED[change]


def test_other_files_stay_and_those_written_here_do_not(folders):
    old, new = folders
    for name in ("conf.yml", "plots/training.png", "plots/mine.png", "mine/README.md"):
        (old / name).parent.mkdir(exist_ok=True)
        (old / name).write_text("old")
    (new / "conf.yml").write_text("new")
    preserve_edits(old, new, ["conf.yml", "plots/training.png"])
    kept = {path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file()}
    assert kept == {"README.md", "conf.yml", "plots/mine.png", "mine/README.md"}
    assert (new / "conf.yml").read_text() == "new"


def test_nothing_before_is_nothing_to_keep(folders, tmp_path, recwarn):
    preserve_edits(tmp_path / "none", folders[1], [])
    assert not recwarn.list
