import csv
import json
import random
from pathlib import Path

import pytest

from asteroid_bimodal.data.download.annotations import VGGSOUND_VALID, list_clips
from asteroid_bimodal.data.download.clips import Entry, read_clips, write_clips

PUBLISHED = Path(__file__).parents[4] / "shared" / "annotations"


def music(**videos) -> dict[str, str]:
    return {"MUSIC_solo_videos.json": json.dumps({"version": 1.0, "videos": videos})}


def one(name, texts):
    (entry,) = list_clips(name, texts).entries
    return entry


def test_a_row_of_vggsound():
    entry = one("vggsound", {"vggsound.csv": '---g-f_I2yQ,1,"bird chirping, tweeting",test\n'})
    path, label = "audio/---g-f_I2yQ_000001.flac", "bird chirping, tweeting"
    assert entry == Entry(path, "---g-f_I2yQ", 1.0, 10.0, label, (), "test")


@pytest.mark.parametrize(
    "row",
    [
        "abc,30,bird chirping, tweeting,test",
        "abc, 30, bird chirping,tweeting , test",
        'abc,30,"bird chirping, tweeting",test',
        "abc_000030.mp4,bird chirping, tweeting",
        'abc_000030.mp4,"bird chirping, tweeting"\r\n\r\n',
        "youtube_id,start_seconds,label,split\nabc,30,bird chirping, tweeting,test",
    ],
)
def test_commas_quotes_and_headers_in_vggsound(row):
    entry = one("vggsound", {"a.csv": row})
    assert (entry.id, entry.start, entry.split) == ("abc", 30.0, "test")
    assert entry.label == "bird chirping, tweeting"


def test_vggsound_is_checked_against_its_classes():
    texts = {"stat.csv": "chainsawing trees,1050,vehicle\n", "test.csv": "abc_000030.mp4,chainsaw"}
    with pytest.raises(ValueError, match="test.csv, line 1: 'chainsaw' is no label of stat.csv"):
        list_clips("vggsound", texts)
    texts["test.csv"] = "abc_000030.mp4,chainsawing trees"
    assert len(list_clips("vggsound", texts).entries) == 1


def test_a_part_of_vggsound_validates_whatever_else_is_listed():
    rows = [f"video{number},0,rain,train\n" for number in range(2000)]
    whole = {
        entry.id: entry.split for entry in list_clips("vggsound", {"a": "".join(rows)}).entries
    }
    assert set(whole.values()) == {"train", "valid"}
    assert list(whole.values()).count("valid") == pytest.approx(2000 * VGGSOUND_VALID, abs=20)
    for entry in list_clips("vggsound", {"a": "".join(rows[::7])}).entries:
        assert entry.split == whole[entry.id]


def test_audiocaps_keeps_all_captions_of_a_clip():
    rows = ['1,abc,30,"Wind blows, insects sing"', "2,abc,30,Wind blows", "3,abc,40,A dog barks"]
    text = "\r\n".join(["audiocap_id,youtube_id,start_time,caption", *rows])
    listing = list_clips("audiocaps", {"val.csv": text})
    first, second = listing.entries
    assert first.captions == ("Wind blows, insects sing", "Wind blows") and first.split == "valid"
    assert (first.path, second.path) == ("audio/abc_000030.flac", "audio/abc_000040.flac")
    assert "2 clips listed (1 of 3 rows repeat a clip, which is fetched once)" in str(listing)


def test_music_is_split_as_its_recipe_always_did():
    ids = [f"id{number:02d}" for number in range(20)]
    listing = list_clips("music", music(acoustic_guitar=ids), seed=3)
    shuffled = sorted(ids)
    random.Random("3/acoustic guitar").shuffle(shuffled)
    expected = dict.fromkeys(shuffled[:3], "test") | dict.fromkeys(shuffled[3:5], "valid")
    assert [entry.id for entry in listing.entries] == shuffled
    for entry in listing.entries:
        assert entry.split == expected.get(entry.id, "train")
        assert entry.path == f"solo/audio/acoustic_guitar/{entry.id}.wav"
        assert (entry.label, entry.seconds) == ("acoustic guitar", None)


def test_duets_are_a_split_of_their_own():
    texts = {"MUSIC_duet_videos.json": json.dumps({"videos": {"cello acoustic_guitar": ["abc"]}})}
    entry = one("music", texts)
    assert entry.path == "duet/audio/cello_acoustic_guitar/abc.wav"
    assert (entry.label, entry.captions, entry.split) == (
        "",
        ("cello and acoustic guitar",),
        "duet",
    )


def test_a_clip_that_is_in_two_splits_belongs_to_the_test():
    rows = "abc,30,rain,train\nabc,30,rain,test\nabc,30,wind,train\n"
    listing = list_clips("vggsound", {"vggsound.csv": rows})
    assert [entry.split for entry in listing.entries] == ["test"]
    assert listing.conflicts == ["abc: train and test", "abc: rain and wind"]
    assert "rows disagree about 2: abc: train and test, abc: rain and wind" in str(listing)


def test_clips_keep_their_split(tmp_path):
    def entry(video, split):
        return Entry(f"audio/{video}.flac", video, 0.0, 10.0, "rain", (), split)

    write_clips(tmp_path, [entry("a", "test"), entry("b", "valid"), entry("c", "train")])
    write_clips(tmp_path, [entry("a", "train"), entry("b", "train"), entry("c", "test")])
    assert [clip.split for clip in read_clips(tmp_path)] == ["test", "valid", "test"]


def test_files_are_read_in_the_order_in_which_they_are_given():
    names = [f"{number}.csv" for number in range(8)]
    texts = {name: f"abc{name[0]},0,rain,train\n" for name in reversed(names)}
    ids = [entry.id for entry in list_clips("vggsound", texts).entries]
    assert ids == [f"abc{name[0]}" for name in reversed(names)]


@pytest.mark.parametrize("name", ["vggsound", "audiocaps"])
def test_a_quote_that_is_not_closed(name):
    text = 'youtube_id,start_time,caption\nabc,0,"rain\n' + "abc,0,rain,train\n" * 9000
    with pytest.raises(ValueError, match="train.csv: this is not CSV: .*quote"):
        list_clips(name, {"train.csv": text})


HEADER = "audiocap_id,youtube_id,start_time,caption\n"


@pytest.mark.parametrize(
    ("name", "texts", "message"),
    [
        ("music", {"a.json": " \n"}, "a.json is empty. Fetch it again"),
        ("vggsound", {"vggsound.csv": ""}, "vggsound.csv is empty"),
        ("audiocaps", {"val.csv": ""}, "val.csv is empty"),
        ("music", {"a.json": '{"videos": '}, "a.json, line 1: this is not JSON"),
        ("music", {"a.json": "[]"}, 'a.json is not {"videos": .*it holds list'),
        ("music", {"a.json": '{"clips": {}}'}, "is not .*it holds clips"),
        (
            "music",
            {"a.json": '{"videos": {"flute": "abc"}}'},
            "is not .*instrument: ",
        ),
        ("music", music(flute=["../../etc"]), "flute: '../../etc' is not the id of a video"),
        ("vggsound", {"a.csv": "abc,30,rain\n"}, "a.csv: 3 columns are .*without their split"),
        (
            "vggsound",
            {"a.csv": "abc,30,rain,dev\n"},
            "rain, dev (4 columns) is neither",
        ),
        ("vggsound", {"a.csv": "abc,x,rain,test\n"}, "line 1: 'x' is not a number of seconds"),
        ("vggsound", {"a.csv": "abc,-1,rain,test\n"}, "'-1' is not a number of seconds"),
        ("vggsound", {"stat.csv": "rain,1050,nature\n"}, "3 columns are a list of classes"),
        (
            "audiocaps",
            {"val.csv": "id,caption\na,b\n"},
            "lacks the columns youtube_id, start_time among id",
        ),
        ("audiocaps", {"val.csv": f"{HEADER}1,abc,30\n"}, "val.csv, line 2: one of .* is empty"),
        (
            "audiocaps",
            {"mine.csv": f"{HEADER}1,abc,30,x\n"},
            "named train.csv, val.csv or test.csv",
        ),
    ],
)
def test_broken_files(name, texts, message):
    message = message.replace("(", r"\(").replace(")", r"\)").replace("{", r"\{")
    with pytest.raises(ValueError, match=message):
        list_clips(name, texts)


def test_the_list_of_clips_is_read_as_it_was_written(tmp_path):
    entries = [
        Entry("audio/a_000030.flac", "a", 30.0, 10.0, "", ("rain, wind", 'a "dog"'), "train"),
        Entry("solo/audio/tuba/b.wav", "b", 0.0, None, "tuba", (), "test"),
    ]
    write_clips(tmp_path, entries[:1])
    write_clips(tmp_path, entries[1:])
    assert read_clips(tmp_path) == entries


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="needs the published annotation files")
@pytest.mark.parametrize(
    ("name", "files", "num_clips", "num_rows"),
    [
        ("music", ["music/MUSIC_solo_videos.json"], 536, 536),
        ("music", ["music/MUSIC21_solo_videos.json"], 1164, 1164),
        ("music", ["music/MUSIC_duet_videos.json"], 149, 149),
        ("vggsound", ["vggsound/test.csv", "vggsound/stat.csv"], 15446, 15446),
        ("audiocaps", ["audiocaps/train.csv", "audiocaps/val.csv"], 50333, 52313),
        ("audiocaps", ["audiocaps/test.csv"], 975, 4875),
    ],
)
def test_published_files(name, files, num_clips, num_rows):
    texts = {Path(file).name: (PUBLISHED / file).read_text("utf-8-sig") for file in files}
    listing = list_clips(name, texts)
    assert (len(listing.entries), listing.num_rows) == (num_clips, num_rows)
    assert len({entry.path for entry in listing.entries}) == num_clips and not listing.conflicts


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="needs the published annotation files")
def test_captions_are_the_published_ones():
    with (PUBLISHED / "audiocaps/test.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    text = (PUBLISHED / "audiocaps/test.csv").read_text("utf-8-sig")
    captions = {
        (e.id, c) for e in list_clips("audiocaps", {"test.csv": text}).entries for c in e.captions
    }
    assert captions == {(row["youtube_id"], " ".join(row["caption"].split())) for row in rows}
