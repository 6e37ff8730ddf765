"""Publishing experiments on the Hugging Face hub, and loading separators from wherever they are."""

from .load import load_model
from .publish import publish, write_publish_dir
from .zenodo import write_zenodo_dir

__all__ = ["load_model", "publish", "write_publish_dir", "write_zenodo_dir"]
