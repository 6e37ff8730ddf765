from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from asteroid_bimodal.queries.captions import (
    PhraseAllocation,
    allocate_phrases,
    mixture_caption,
    parse_caption,
    phrase_prompt,
)

FIXTURES = Path(__file__).parents[1] / "fixtures"
# Phrases that a person gave before the rules saw the caption. The rules were tuned on real captions
# outside both parts and on misses of `table`; on `held_out` the first run gave 78 of 80.
CAPTIONS = json.loads((FIXTURES / "captions_60.json").read_text(encoding="utf-8"))
# Two draws at random from all of AudioCaps, with every answer that was held for right before the
# parser saw the caption. The rules were changed between the first draw and the second.
DRAWN = json.loads((FIXTURES / "captions_drawn.json").read_text(encoding="utf-8"))
# The phrases of the paper's release for 400 captions of the AudioCaps test set.
RELEASE = json.loads((FIXTURES / "parser_release_sample.json").read_text(encoding="utf-8"))
REAL = sorted(
    {*RELEASE, *(row["caption"] for rows in CAPTIONS.values() for row in rows)}.union(
        *DRAWN.values()
    )
)  # about 740
DANGLING = {
    "and",
    "or",
    "with",
    "while",
    "as",
    "then",
    "the",
    "a",
    "an",
    "of",
    "is",
    "are",
    "followed",
}


def plain(phrases):
    """Phrase set without case and stray punctuation, so that the release is not judged by these."""
    return {phrase.lower().strip(" .,'") for phrase in phrases}


def exact_rate(rows, phrases_of):
    return sum(plain(phrases_of(row)) == plain(row["phrases"]) for row in rows) / len(rows)


def parsed(row):
    return parse_caption(row["caption"])


# --- what a person would say ------------------------------------------------------------------


def test_table_has_sixty_captions_and_forty_from_audiocaps():
    assert len(CAPTIONS["table"]) == 60
    assert sum("release" in row for row in CAPTIONS["table"]) >= 40


def test_table_exact_phrase_sets():
    assert exact_rate(CAPTIONS["table"], parsed) >= 0.95


def test_held_out_captions_show_no_overfit():
    assert len(CAPTIONS["held_out"]) >= 40
    assert exact_rate(CAPTIONS["held_out"], parsed) >= 0.9


@pytest.mark.parametrize("draw", ["first", "second"])
def test_few_captions_drawn_at_random_are_wrong(draw):
    wrong = [
        caption
        for caption, answers in DRAWN[draw].items()
        if plain(parse_caption(caption)) not in map(plain, answers)
    ]
    assert len(DRAWN[draw]) == 120 and len(wrong) <= 0.04 * 120, wrong


@pytest.mark.parametrize("part", ["table", "held_out"])
def test_beats_the_release_on_the_same_captions(part):
    rows = [row for row in CAPTIONS[part] if "release" in row]
    assert exact_rate(rows, parsed) >= exact_rate(rows, lambda row: row["release"]) + 0.3


@pytest.mark.parametrize(
    ("caption", "phrases"),
    [
        ("A man talks while wood clanks on a pan", ["a man talks", "wood clanks on a pan"]),
        ("a man speaks and then laughs", ["a man speaks", "a man laughs"]),
        ("A man and woman speak", ["a man and woman speak"]),
        ("An alarm beeps on and off", ["an alarm beeps on and off"]),
        ("A deep, loud engine", ["a deep, loud engine"]),
        ("Muffled speech and music", ["muffled speech", "music"]),
        ("Dogs bark followed by silence", ["dogs bark"]),
        ("A door creaks as it opens", ["a door creaks", "a door opens"]),
        ("A dog barks; a dog is barking again", ["a dog barks"]),
        ("A dog barks while it is raining", ["a dog barks", "it is raining"]),
        (
            "A train passes as it starts to snow or it thunders",
            ["a train passes", "it starts to snow", "it thunders"],
        ),
        ("A car idles, and then it gently rains", ["a car idles", "it gently rains"]),
        ("A man talks with rain in the background", ["a man talks", "rain in the background"]),
        ("A man talks with a child", ["a man talks with a child"]),
        ("Hissing and buzzing of insects", ["hissing of insects", "buzzing of insects"]),
        ("“Écho” – A BELL’S chime!", ["écho", "a bell's chime"]),
    ],
)
def test_known_answers(caption, phrases):
    assert parse_caption(caption) == phrases


@pytest.mark.parametrize(
    ("caption", "phrases"),
    [
        ("A beep precedes a bang", ["a beep", "a bang"]),
        ("Loud music accompanies a motor", ["loud music", "a motor"]),
        ("Music accompanying a man talking", ["music", "a man talking"]),
        ("A bird overlapped by a train", ["a bird", "a train"]),
        ("Birds chirp, overlapping with speech", ["birds chirp", "speech"]),
        ("A saw runs, drowning out a man speaking", ["a saw runs", "a man speaking"]),
        ("Voices nearly drowned out by wind", ["voices", "wind"]),
        ("Barking following by an oink", ["barking", "an oink"]),
        ("A wind blows, which in turn is followed by a splash", ["a wind blows", "a splash"]),
        ("Cheering precedes and follows a song", ["cheering", "a song"]),
        ("Music plays, during which a dog barks", ["music plays", "a dog barks"]),
        ("A man speaks loudly followed by a bell", ["a man speaks loudly", "a bell"]),
        ("Whistling with accompanying music", ["whistling", "accompanying music"]),
    ],
)
def test_verbs_of_order_cut(caption, phrases):
    assert parse_caption(caption) == phrases


@pytest.mark.parametrize(
    ("caption", "phrases"),
    [
        ("A man talks in the rain", ["a man talks", "the rain"]),
        ("Leaves rustle in a strong wind", ["leaves rustle", "a strong wind"]),
        ("A car drives through the rain", ["a car drives", "the rain"]),
        ("A woman sings over music", ["a woman sings", "music"]),
        ("Footsteps on gravel", ["footsteps on gravel"]),
        ("A man talks in a room", ["a man talks in a room"]),
        ("A man walks in the rain forest", ["a man walks in the rain forest"]),
        ("A helicopter flies over a crowd", ["a helicopter flies over a crowd"]),
        ("An engine turns over and a dog barks", ["an engine turns over", "a dog barks"]),
        ("The wind blows and a man speaks over the wind", ["the wind blows", "a man speaks"]),
        ("A truck with a loud engine", ["a truck with a loud engine"]),
        ("A man speaks with a deep voice", ["a man speaks with a deep voice"]),
        ("A motor runs with increasing frequency", ["a motor runs with increasing frequency"]),
    ],
)
def test_what_a_sound_takes_place_in_is_a_phrase_if_it_sounds(caption, phrases):
    assert parse_caption(caption) == phrases


@pytest.mark.parametrize(
    ("caption", "phrases"),
    [
        ("There is laughter and there are bells", ["laughter", "bells"]),
        ("Here comes a train and it blows the horn", ["a train", "a train blows the horn"]),
        ("A man says a word, it is followed by a bang", ["a man says a word", "a bang"]),
        ("The roar of a car as it passes by", ["the roar of a car", "a car passes by"]),
        ("A man fills a pan and it sizzles", ["a man fills a pan", "a pan sizzles"]),
        ("Someone is whistling and it echoes", ["someone is whistling"]),
        ("Pigs oink, she is talking", ["pigs oink", "she is talking"]),
        ("Someone snores while they are sleeping", ["someone snores"]),
        ("A siren wails and gets louder", ["a siren wails"]),
        ("An engine hums, then slowly fades away", ["an engine hums"]),
        ("A dog barks as the siren gets louder", ["a dog barks", "the siren gets louder"]),
        ("A siren, getting louder, then a dog", ["a siren", "a dog"]),
        ("A man narrates and he gets very excited", ["a man narrates"]),
        ("A motor is started, but fails", ["a motor is started"]),
        ("Bells ring with pauses in between, then stop", ["bells ring with pauses"]),
        ("A slight pause followed by a bang", ["a bang"]),
        ("In a quiet environment, a clock ticks", ["a clock ticks"]),
        ("A man speaks, often interrupted by burps", ["a man speaks", "burps"]),
        ("Hooves clop first near then far away", ["hooves clop first near and far away"]),
    ],
)
def test_pronouns_states_and_changes_of_level_are_no_phrases(caption, phrases):
    assert parse_caption(caption) == phrases


@pytest.mark.parametrize(
    ("caption", "phrases"),
    [
        ("Metal is clanging, rustling occurs", ["metal is clanging", "rustling"]),
        ("Water runs, hissing and tapping are heard", ["water runs", "hissing", "tapping"]),
        ("A man speaks while sawing occurs", ["a man speaks", "sawing"]),
        ("A man speaks while sawing", ["a man speaks", "a man sawing"]),
        ("A boy cries and stamps a foot", ["a boy cries", "a boy stamps a foot"]),
        ("A man talks and clicks a mouse", ["a man talks", "a man clicks a mouse"]),
        ("A man talks and clicks", ["a man talks", "clicks"]),
        ("A door is opened and closed", ["a door is opened", "a door is closed"]),
        ("Croaking and groaning from a frog", ["croaking from a frog", "groaning from a frog"]),
        ("Footsteps and oinks from a pig", ["footsteps", "oinks from a pig"]),
        ("A river or waterfall roars", ["a river or waterfall roars"]),
        ("A woman, child and man is talking", ["a woman, child and man is talking"]),
        ("A hum of a motor, water dripping", ["a hum of a motor", "water dripping"]),
        ("A man speaks a woman laughs", ["a man speaks", "a woman laughs"]),
        ("A horse trots it neighs", ["a horse trots", "a horse neighs"]),
        ("A man talks over a p.a. system", ["a man talks over a pa system"]),
        ("A man speaks in a low, hoarse voice", ["a man speaks in a low, hoarse voice"]),
    ],
)
def test_each_sound_has_its_own_subject(caption, phrases):
    assert parse_caption(caption) == phrases


# --- the release's rules ----------------------------------------------------------------------


def content(phrase):
    """Words that say what is heard, as far as both parsers keep them."""
    when = "then finally suddenly again once more once eventually as well in between simultaneously"
    links = "and with while as before after followed by over of along together alongside it he she"
    that = "is are was being occur occurs occurring there heard can be present a an the"
    words = phrase.lower().replace(".", " ").replace(",", " ").replace("'", " ").split()
    return set(words) - set(f"{when} {links} {that}".split())


def test_finds_what_the_release_finds():
    asked = found = 0
    for caption, phrases in RELEASE.items():
        ours = [content(phrase) for phrase in parse_caption(caption)]
        for wanted in filter(None, map(content, phrases)):
            asked += 1
            found += any(wanted <= got for got in ours)
    assert found / asked >= 0.97


def test_agreement_with_the_release():
    same = sum(plain(parse_caption(c)) == plain(phrases) for c, phrases in RELEASE.items())
    assert same / len(RELEASE) >= 0.65


# --- properties on real captions --------------------------------------------------------------


def test_phrases_of_real_captions_are_clean():
    for caption in REAL:
        phrases = parse_caption(caption)
        assert phrases and len(set(phrases)) == len(phrases), caption
        for phrase in phrases:
            words = phrase.split()
            assert words and phrase == " ".join(words), caption
            assert not {words[0], words[-1]} & (DANGLING - {"a", "an", "the"}), (caption, phrase)
            assert words[-1] not in DANGLING and words[0] != ",", (caption, phrase)
            assert phrase == phrase.lower(), caption


def test_words_come_from_the_caption():
    for caption in REAL:
        text = caption.lower().translate(str.maketrans("’“”", "'  ")).replace("p.a.", "pa")
        for phrase in parse_caption(caption):
            assert all(word in text for word in phrase.replace(",", "").split()), (caption, phrase)


def test_deterministic_and_idempotent():
    for caption in REAL:
        phrases = parse_caption(caption)
        assert parse_caption(caption) == phrases
        for phrase in phrases:
            assert parse_caption(phrase) == [phrase], caption


# --- what is not a caption --------------------------------------------------------------------


@pytest.mark.parametrize(
    "caption", ["", " \n", "...!?", "12 345", "🐕🎻", "and then", "’'", "occurs"]
)
def test_no_caption_is_an_error(caption):
    with pytest.raises(ValueError, match="Expected a caption that names a sound"):
        parse_caption(caption)


@pytest.mark.parametrize("caption", [None, 3, b"a dog barks", ["a dog barks"], float("nan")])
def test_not_text_is_an_error(caption):
    with pytest.raises(TypeError, match="Expected a caption as a str"):
        parse_caption(caption)


@pytest.mark.parametrize(
    ("caption", "phrases"),
    [
        ("a dog 🐕 barks", ["a dog barks"]),
        ("a\x00dog\tbarks\n", ["a dog barks"]),
        ("Un chien aboie, puis un chat miaule", ["un chien aboie", "puis un chat miaule"]),
        ("犬が吠える、猫が鳴く。", ["犬が吠える", "猫が鳴く"]),
        ("कुत्ता भौंकता है", ["कुत्ता भौंकता है"]),
        ("3.5 kHz beep and 2,000 birds", ["3.5 khz beep", "2,000 birds"]),
        ("silence", ["silence"]),
    ],
)
def test_unusual_text(caption, phrases):
    assert parse_caption(caption) == phrases


@pytest.mark.parametrize(
    "part", ["dog ", "a man and ", "a dog barks then ", "a loud, ", "it with ", "it is "]
)
def test_ten_thousand_words(part):
    phrases = parse_caption(part * 10_000 + "a bell rings")
    assert phrases and all(phrases)


# --- labels, prompts, mixtures ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "caption"),
    [
        (["violin"], "The sound mixture of violin"),
        (["violin", "flute"], "The sound mixture of violin and flute"),
        (["violin", "flute", "tuba"], "The sound mixture of violin, flute and tuba"),
        (["acoustic guitar", "Erhu", "dog barking", "x"], None),
    ],
)
def test_mixture_caption_and_its_inverse(labels, caption):
    made = mixture_caption(labels)
    assert caption is None or made == caption
    assert parse_caption(made) == [phrase_prompt(label) for label in labels]


def test_prompt_stays_as_it_is():
    assert phrase_prompt("violin") == "The sound of violin"
    assert parse_caption("The sound of violin") == ["The sound of violin"]
    assert parse_caption("The sound of rain and thunder") == [
        "the sound of rain",
        "the sound of thunder",
    ]


def test_labels_with_commas_need_to_be_known():
    labels = ["bird chirping, tweeting", "violin", "rock and roll"]
    prompts = [phrase_prompt(label) for label in labels]
    assert parse_caption(mixture_caption(labels), labels=labels) == prompts
    assert parse_caption(prompts[0], labels=labels) == prompts[:1]


@pytest.mark.parametrize("labels", [[], "violin", [""], ["violin", None]])
def test_bad_labels(labels):
    with pytest.raises(ValueError, match="Expected a"):
        mixture_caption(labels)


def test_bad_template():
    with pytest.raises(ValueError, match="Expected a template with one"):
        phrase_prompt("violin", "The sound")
    assert phrase_prompt("violin", "a {} playing") == "a violin playing"


# --- a fixed number of phrases ----------------------------------------------------------------


def test_as_many_phrases_as_asked():
    got = allocate_phrases(["wind", "rain"], 2)
    assert isinstance(got, PhraseAllocation) and got.phrases == ["wind", "rain"]
    assert got.weights.tolist() == [1.0, 1.0] and got.unasked == 0 and got.complete


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("count", "total"), [(1, 3), (2, 3), (2, 7), (5, 6)])
def test_repeated_phrases_weigh_one_together(seed, count, total):
    phrases = [f"sound {k}" for k in range(count)]
    got = allocate_phrases(phrases, total, torch.Generator().manual_seed(seed))
    assert len(got.phrases) == total == got.weights.numel() and got.complete
    for phrase in phrases:
        weights = [w for p, w in zip(got.phrases, got.weights.tolist(), strict=True) if p == phrase]
        assert weights and sum(weights) == pytest.approx(1.0)
        assert weights == pytest.approx([1 / len(weights)] * len(weights))


def test_drawn_phrases_keep_their_weight_and_the_rest_is_counted():
    phrases = ["wind", "rain", "a dog barks", "thunder"]
    seen = set()
    for seed in range(40):
        got = allocate_phrases(phrases, 3, torch.Generator().manual_seed(seed))
        assert got.unasked == 1 and not got.complete and got.weights.tolist() == [1.0] * 3
        assert got.phrases == [p for p in phrases if p in got.phrases]
        seen.add(tuple(got.phrases))
    assert len(seen) == 4


def test_allocation_follows_its_generator_alone():
    phrases = [f"sound {k}" for k in range(9)]
    before = torch.get_rng_state()
    one, two = (allocate_phrases(phrases, 4, torch.Generator().manual_seed(3)) for _ in range(2))
    assert one.phrases == two.phrases
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("phrases", "count"), [([], 2), ("wind", 2), (["wind"], 0)])
def test_bad_allocation(phrases, count):
    with pytest.raises(ValueError, match="Expected"):
        allocate_phrases(phrases, count)
