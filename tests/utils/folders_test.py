from pathlib import Path

import pytest

from asteroid_bimodal.utils.folders import atomic_folder


def test_folder_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "sub/saved"
    with atomic_folder(target) as folder:
        (folder / "a").write_text("first")
        assert not target.exists()
    with pytest.raises(KeyError), atomic_folder(target) as folder:
        (folder / "a").write_text("second")
        raise KeyError
    assert (target / "a").read_text() == "first"
    with atomic_folder(target) as folder:
        (folder / "b").write_text("third")
    assert [path.name for path in target.iterdir()] == ["b"]
    assert list(target.parent.iterdir()) == [target]


def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_one(tmp_path, monkeypatch):
    target = tmp_path / "saved"
    with atomic_folder(target) as folder:
        (folder / "a").write_text("first")
    rename = Path.rename

    def fail_for_new(self, other):
        if self.name == "new":
            raise OSError("in use")
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", fail_for_new)
    with pytest.raises(OSError, match="in use"), atomic_folder(target) as folder:
        (folder / "a").write_text("second")
    assert (target / "a").read_text() == "first"
