import pytest

from asteroid_bimodal.data.video_id import video_id


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("audio/8Wd5bCnJ1eA.wav", "8Wd5bCnJ1eA"),
        ("audio/8Wd5bCnJ1eA_30.wav", "8Wd5bCnJ1eA"),
        ("audio/8Wd5bCnJ1eA_000030_000040.flac", "8Wd5bCnJ1eA"),
        ("audio/8Wd5bCnJ1eA_30.000_40.000.flac", "8Wd5bCnJ1eA"),
        ("audio/Y8Wd5bCnJ1eA.wav", "8Wd5bCnJ1eA"),
        ("audio/-_-f_I2yQ_0_1.wav", "-_-f_I2yQ_0"),
        ("8Wd5bCnJ1eA/0001.wav", "8Wd5bCnJ1eA"),
        ("dog_barking/0001.wav", "dog_barking/0001"),
        ("violin/train000_1a2b3c4d.wav", "train000_1a2b3c4d"),
        ("test/violin.wav", "violin"),
    ],
)
def test_video_ids(path, expected):
    assert video_id(path) == expected
