"""What there is to be known of a saved separator without building it."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike

from ..queries.vocabulary import Vocabulary
from .pretrained import load_package


@dataclass(frozen=True)
class ModelFacts:
    """A saved separator.

    Attributes:
        name: by which it is loaded.
        model_class: of this package.
        sample_rate: rate in hertz that it works at.
        parameters: numbers in it.
        megabytes: that they take.
        vocabulary: the sounds that it knows; without labels it takes any word, and None says
            nothing.
        origin: what others' checkpoint it comes from; None of none.
    """

    name: str
    model_class: str
    sample_rate: float
    parameters: int
    megabytes: float
    vocabulary: Vocabulary | None
    origin: str | None = None


def describe_model(name: str | PathLike) -> ModelFacts:
    """Reads what there is to be known of a saved separator.

    Args:
        name: as for `load_separator`.

    Raises:
        ValueError: for what is missing, broken, or not saved by this package.

    Examples:
        >>> facts = describe_model("mini")
        >>> facts.sample_rate, len(facts.vocabulary.labels)
        (8000.0, 11)
    """
    package = load_package(name)
    args, weights = package["model_args"], package["state_dict"]
    try:
        kinds, rate = args.get("vocabulary"), args["sample_rate"]
        sizes = [(tensor.numel(), tensor.element_size()) for tensor in weights.values()]
        return ModelFacts(
            str(name),
            package["model_name"],
            float(rate),
            sum(count for count, _ in sizes),
            sum(count * size for count, size in sizes) / 1e6,
            None if kinds is None else Vocabulary(kinds),
            package.get("origin"),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{name} is no separator of this package: {error}.") from error
