import pytest

from asteroid_bimodal.data.download import DownloadStoppedError, published
from asteroid_bimodal.data.download.published import read_annotations


@pytest.fixture
def addresses(web, monkeypatch):
    """Published files that lie on this machine."""
    web.media = {"json": b"\xef\xbb\xbf{}", **web.media}
    web.TYPES = {**web.TYPES, "json": "application/json"}
    monkeypatch.setitem(published.ADDRESSES, "music", {})
    for kind in ("json", "missing", "page", "drip", "truncated"):
        name = "MUSIC_solo_videos.json" if kind == "json" else kind
        published.ADDRESSES["music"][name] = f"{web.url}/{kind}"
    return web


def test_a_published_file_is_fetched_once_and_kept(addresses, tmp_path):
    for _ in range(2):
        assert read_annotations("music", [], tmp_path) == {"MUSIC_solo_videos.json": "{}"}
    assert addresses.asked["json"] == 1
    assert (tmp_path / "annotations/MUSIC_solo_videos.json").is_file()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *(("missing", "Not Found"), ("page", "a web page")),
        *(("drip", "not there after 0 s"), ("truncated", "breaks off after")),
    ],
)
def test_a_file_that_is_not_where_it_should_be(addresses, tmp_path, monkeypatch, name, reason):
    monkeypatch.setattr(published, "_LONGEST", 0.2 if name == "drip" else 600.0)
    with pytest.raises(
        DownloadStoppedError, match=f"Cannot fetch .*{reason}.*by hand and put it at"
    ):
        read_annotations("music", [name], tmp_path)
    assert not list(tmp_path.rglob("*.*"))


def test_no_network(addresses, tmp_path):
    addresses.close()
    with pytest.raises(DownloadStoppedError, match="Connection refused. Check the network, or get"):
        read_annotations("music", [], tmp_path)


def test_given_files(tmp_path):
    (tmp_path / "mine.csv").write_bytes(b"\xef\xbb\xbfa,b")
    assert read_annotations("vggsound", [tmp_path / "mine.csv"], tmp_path) == {"mine.csv": "a,b"}
    (tmp_path / "mine.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="mine.csv is not text in UTF-8"):
        read_annotations("vggsound", [tmp_path / "mine.csv"], tmp_path)
    with pytest.raises(FileNotFoundError, match="other.csv does not exist.*vggsound.csv"):
        read_annotations("vggsound", ["other.csv"], tmp_path)


def test_manifests_are_not_taken_for_annotations(tmp_path, monkeypatch):
    (tmp_path / "train.csv").write_text("path,label,caption,seconds,split\n")
    (tmp_path / "annotations").mkdir()
    for name in ("train", "val", "test"):
        (tmp_path / "annotations" / f"{name}.csv").write_text(name)
    monkeypatch.chdir(tmp_path)
    texts = read_annotations("audiocaps", [], tmp_path)
    assert texts == {"train.csv": "train", "val.csv": "val", "test.csv": "test"}
    assert read_annotations("audiocaps", ["train.csv"], tmp_path) == {"train.csv": "train"}
