"""A small CLIP and a small ResNet from scratch, and CLIP's tokenizer."""

from __future__ import annotations

from collections.abc import Iterable

from omegaconf import DictConfig
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    CLIPConfig,
    CLIPModel,
    PreTrainedTokenizerFast,
    ResNetConfig,
    ResNetModel,
)

BEGIN, END = "<|startoftext|>", "<|endoftext|>"  # CLIP's


def build_tokenizer(texts: Iterable[str], conf: DictConfig) -> PreTrainedTokenizerFast:
    """Trains a byte-level BPE tokenizer: small, blind to case, and able to spell any word.

    Args:
        texts: the training texts.
        conf: the whole configuration.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=conf.clip.vocab_size,
        special_tokens=[BEGIN, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    ends = [(token, tokenizer.token_to_id(token)) for token in (END, BEGIN)]
    tokenizer.post_processor = processors.RobertaProcessing(*ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=conf.clip.context_length,
        padding_side="right",
        bos_token=BEGIN,
        eos_token=END,
        pad_token=END,
        unk_token=END,
        model_input_names=["input_ids", "attention_mask"],
    )


def build_clip(conf: DictConfig, tokenizer: PreTrainedTokenizerFast) -> CLIPModel:
    """Builds a CLIP with random weights.

    Args:
        conf: the whole configuration.
        tokenizer: its tokenizer.
    """
    clip = conf.clip
    tower = {
        "hidden_size": clip.width,
        "intermediate_size": 2 * clip.width,
        "num_attention_heads": clip.heads,
        "projection_dim": clip.projection,
    }
    text = {
        "vocab_size": len(tokenizer),
        "num_hidden_layers": clip.text_layers,
        "max_position_embeddings": clip.context_length,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "num_hidden_layers": clip.vision_layers,
        "image_size": conf.image_size,
        "patch_size": clip.patch,
    }
    return CLIPModel(
        CLIPConfig(
            text_config={**tower, **text},
            vision_config={**tower, **vision},
            projection_dim=clip.projection,
            logit_scale_init_value=clip.logit_scale,
        )
    )


def build_resnet(conf: DictConfig) -> ResNetModel:
    """Builds a ResNet with random weights.

    Args:
        conf: the whole configuration.
    """
    resnet = conf.resnet
    return ResNetModel(
        ResNetConfig(
            embedding_size=resnet.stem,
            hidden_sizes=list(resnet.channels),
            depths=list(resnet.depths),
            layer_type="basic",
        )
    )
