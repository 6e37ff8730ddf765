import pytest

from asteroid_bimodal.data.check.labels import are_similar


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("violin", "Violin"),
        ("violin", " violin "),
        ("acoustic guitar", "acoustic_guitar"),
        ("acoustic guitar", "acousticguitar"),
        ("bird chirping, tweeting", "bird chirping tweeting"),
        ("violin", "violim"),
        ("violin", "vioolin"),
        ("violin", "violi"),
        ("violin", "iolin"),
        ("violin", "voilin"),
        ("violin", "violins"),
        ("playing timpani", "playing tympani"),
    ],
)
def test_misspellings(one, other):
    assert are_similar(one, other) and are_similar(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("violin", "viola"),
        ("violin", "vilion"),
        ("male singing", "female singing"),
        ("dog barking", "dog baying"),
        ("playing bongo", "playing banjo"),
        ("pipa", "pip"),
        ("drum 1", "drum 2"),
        ("track 1", "track 11"),
        ("tuba", "xylophone"),
    ],
)
def test_different_words(one, other):
    assert not are_similar(one, other) and not are_similar(other, one)
