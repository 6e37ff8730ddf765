"""Publishing experiments on the Hugging Face hub, and loading separators from wherever they are."""

from .load import load_model
from .publish import publish, write_publish_dir

__all__ = ["load_model", "publish", "write_publish_dir"]
