import pytest

from asteroid_bimodal.engine.timbre import train_classifier


def test_an_epoch_without_a_batch_is_an_error_and_no_endless_wait(tone_set, tiny_conf):
    conf = tiny_conf(tone_set, "bimodal_timbre")
    conf.data.epoch_size = 1  # which a configuration that was read would not have
    with pytest.raises(ValueError, match="Expected data.epoch_size to fill a batch of 2"):
        train_classifier(conf)
