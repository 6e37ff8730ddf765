import pytest

from asteroid_bimodal.engine.timbre import train_classifier


def test_an_epoch_without_a_batch_is_an_error_and_no_endless_wait(tone_set, tiny_conf):
    changes = {"data.epoch_size": 1, "training.batch_size": 2}
    conf = tiny_conf(tone_set, "bimodal_timbre", **changes)
    with pytest.raises(ValueError, match="Expected data.epoch_size to fill a batch of 2"):
        train_classifier(conf)
