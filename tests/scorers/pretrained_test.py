from asteroid_bimodal.scorers import pretrained
from asteroid_bimodal.utils import clap, frozen


def test_what_scorers_and_query_encoders_share_is_the_same():
    for name in pretrained.__all__:
        home = frozen if hasattr(frozen, name) else clap
        assert getattr(pretrained, name) is getattr(home, name)
