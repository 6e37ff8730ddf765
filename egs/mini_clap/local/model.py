"""A small CLAP from scratch: tokenizer, feature extractor and network."""

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
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, PreTrainedTokenizerFast

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]  # RoBERTa's, at RoBERTa's places


def build_tokenizer(
    texts: Iterable[str], vocab_size: int, context_length: int
) -> PreTrainedTokenizerFast:
    """Trains a byte-level BPE tokenizer: small, blind to case, and able to spell any word.

    Args:
        texts: the training texts.
        vocab_size: tokens, at most.
        context_length: the longest text in tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=context_length,
        padding_side="right",
        bos_token="<s>",
        cls_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        sep_token="</s>",
        unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    )


def build_feature_extractor(conf: DictConfig) -> ClapFeatureExtractor:
    """Sets up the log-mel features; short clips are repeated until the input is full.

    Args:
        conf: the whole configuration.
    """
    audio = conf.audio
    return ClapFeatureExtractor(
        feature_size=audio.mels,
        sampling_rate=conf.data.sample_rate,
        hop_length=audio.hop_length,
        max_length_s=audio.max_seconds,
        fft_window_size=audio.n_fft,
        frequency_min=audio.f_min,
        frequency_max=audio.f_max,
        truncation="rand_trunc",
        padding="repeat",
    )


def build_model(conf: DictConfig, vocab_size: int) -> ClapModel:
    """Builds the network with random weights.

    Args:
        conf: the whole configuration.
        vocab_size: of the tokenizer.
    """
    model = conf.model
    text = {
        "vocab_size": vocab_size,
        "hidden_size": model.text_width,
        "num_hidden_layers": model.text_layers,
        "num_attention_heads": 4,
        "intermediate_size": 2 * model.text_width,
        "max_position_embeddings": model.context_length + 3,
        "layer_norm_eps": 1e-5,
        "initializer_factor": model.initializer,
    }
    audio = {
        "spec_size": conf.audio.mels,
        "num_mel_bins": conf.audio.mels,
        "patch_size": model.patch,
        "patch_stride": [4, 4],
        "window_size": model.window,
        "patch_embeds_hidden_size": model.width,
        "hidden_size": model.width * 2 ** (len(model.depths) - 1),
        "depths": list(model.depths),
        "num_hidden_layers": len(model.depths),
        "num_attention_heads": list(model.heads),
        "mlp_ratio": model.mlp_ratio,
        "hidden_dropout_prob": 0.0,
        "initializer_factor": model.initializer,
    }
    config = ClapConfig(text_config=text, audio_config=audio, projection_dim=model.projection)
    return ClapModel(config)
