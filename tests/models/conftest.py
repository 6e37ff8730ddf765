"""A fresh tiny separator for each test that asks for one."""

import pytest
from tiny_model import build_tiny


@pytest.fixture
def model():
    return build_tiny()
