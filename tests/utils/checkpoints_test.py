import numpy as np
import pytest
import torch

from asteroid_bimodal.utils.checkpoints import check_fit, first_line, read_tensors


def test_tensors_plain_values_and_numbers_are_read(tmp_path):
    content = {"a": torch.arange(3), "b": [1, "x"], "c": np.float32(2.5), "d": np.bool_(True)}
    torch.save(content, tmp_path / "x.pt")
    received = read_tensors(tmp_path / "x.pt")
    assert torch.equal(received["a"], content["a"]) and received["b"] == [1, "x"]
    assert received["c"] == 2.5 and received["d"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"no pickle"])
def test_what_is_no_file_of_pytorch(tmp_path, content):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(ValueError, match="Expected .*x.pt"):
        read_tensors(tmp_path / "x.pt")


def test_all_that_does_not_fit_is_counted():
    expected = {name: torch.zeros(2) for name in "abcde"}
    with pytest.raises(ValueError, match=r"a is missing; .*\(and 2 more\)"):
        check_fit(expected, {}, "x.pt")
    with pytest.raises(ValueError, match="f is unexpected"):
        check_fit({}, {"f": 1}, "x.pt")
    with pytest.raises(ValueError, match="a is not a tensor"):
        check_fit({"a": torch.zeros(1)}, {"a": 1}, "x.pt")
    check_fit(expected, dict(expected), "x.pt")


def test_first_line_of_an_error():
    assert first_line(ValueError("One.\nTwo.")) == "One"
    assert first_line(KeyError()) == "KeyError"
