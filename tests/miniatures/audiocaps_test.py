from collections import Counter

import numpy as np
import pytest
import soundfile
from miniatures.audiocaps import Event, Scene, draw_scene, render, render_scene
from miniatures.events import LABELS
from miniatures.events_captions import RELATIONS, write_caption
from miniatures.events_words import WORDS

from asteroid_bimodal.data.manifest import read_manifest
from asteroid_bimodal.queries import parse_caption

RATE = 8000


def scenes(count):
    return [draw_scene(np.random.default_rng((5, number))) for number in range(count)]


def names(phrase, label) -> bool:
    return bool(set(phrase.replace(",", "").split()) & set(WORDS[label].heads))


def test_captions_come_apart_into_their_events():
    right = 0
    drawn = scenes(2000)
    for scene in drawn:
        phrases, labels = parse_caption(scene.caption), [event.label for event in scene.events]
        right += len(phrases) == len(labels) and all(map(names, phrases, labels))
    assert right / len(drawn) >= 0.98


@pytest.mark.parametrize("label", LABELS)
def test_every_wording_of_an_event_is_one_phrase(label):
    words = WORDS[label]
    texts = [*words.clauses, *words.nouns]
    texts += [f"{clause} {adverb}" for clause in words.clauses for adverb in words.adverbs]
    for text in texts:
        phrases = parse_caption(text)
        assert len(phrases) == 1 and names(phrases[0], label), text


def test_captions_vary():
    drawn = scenes(2000)
    counts = Counter(len(scene.events) for scene in drawn)
    assert set(counts) == {1, 2, 3, 4} and min(counts.values()) > 100
    assert len({scene.caption for scene in drawn}) > 1800
    assert {event.label for scene in drawn for event in scene.events} == set(LABELS)
    assert all(scene.caption[0].isupper() for scene in drawn)
    for relation in ("together", "then"):
        assert len(RELATIONS[relation]) >= 10


def test_events_happen_in_the_order_of_the_caption():
    for scene in scenes(300):
        labels = [event.label for event in scene.events]
        assert len(set(labels)) == len(labels)
        starts = [event.start for event in scene.events]
        if " followed by " in scene.caption and len(starts) == 2:
            assert starts[1] >= starts[0] + 0.9 * scene.events[0].length
        assert all(0 <= e.start and e.start + e.length <= 1 + 1e-9 for e in scene.events)


def test_an_event_sounds_where_it_is_placed_and_as_loud_as_it_should():
    early = Event("vacuum cleaner cleaning floors", 0.0, 0.4, 0.0)
    late = Event("vacuum cleaner cleaning floors", 0.6, 0.4, -12.0)

    def level(wav, begin, end):
        return 20 * np.log10(wav[int(begin * RATE) : int(end * RATE)].std())

    loud = render_scene(Scene((early,), ""), 2.0, RATE, np.random.default_rng(0))
    assert level(loud, 0.1, 0.7) > level(loud, 0.9, 1.9) + 25
    quiet = render_scene(Scene((late,), ""), 2.0, RATE, np.random.default_rng(0))
    assert level(quiet, 1.3, 1.9) > level(quiet, 0.1, 1.1) + 12
    assert level(loud, 0.1, 0.7) - level(quiet, 1.3, 1.9) == pytest.approx(12, abs=3)


def test_files_and_manifests(tmp_path):
    settings = {"takes": {"train": 4, "test": 2}, "seconds": (1.0, 1.2), "num_workers": 1}
    manifests = render(tmp_path, **settings)
    clips = {split: read_manifest(path) for split, path in manifests.items()}
    assert [len(rows) for rows in clips.values()] == [4, 2]
    for clip in [*clips["train"], *clips["test"]]:
        info = soundfile.info(tmp_path / clip.path)
        assert info.frames == round(clip.seconds * RATE) and clip.caption and not clip.label
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    render(tmp_path, **settings)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_splits_share_no_scene(tmp_path):
    captions = [
        draw_scene(np.random.default_rng((0, seed, 1))).caption for seed in (11, 12, 13, 14)
    ]
    assert len(set(captions)) == 4


def test_a_relation_for_every_label_but_the_first():
    with pytest.raises(ValueError, match="received 2 labels and 0 relations"):
        write_caption(["raining", "thunder"], [], np.random.default_rng(0))
