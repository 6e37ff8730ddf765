"""Random models of the right classes, small enough to be built for a test."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    CLIPConfig,
    CLIPModel,
    PreTrainedTokenizerFast,
    ResNetConfig,
    ResNetModel,
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = ["violin", "flute", "tuba", "the", "sound", "of", "a", "playing"]


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """One token per known word, between [CLS] and [SEP]."""
    vocabulary = {word: index for index, word in enumerate(SPECIAL + WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=8,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=["input_ids", "attention_mask"],
    )


TEXT = {
    "vocab_size": len(SPECIAL + WORDS),
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 8,
}


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = BertConfig(**TEXT, pad_token_id=0, initializer_range=0.5)
    BertModel(config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    vision = {key: TEXT[key] for key in TEXT if key.startswith(("hidden", "inter", "num"))}
    config = CLIPConfig(
        text_config={**TEXT, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3},
        vision_config={**vision, "image_size": 32, "patch_size": 16},
        projection_dim=6,
    )
    CLIPModel(config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def resnet_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resnet")
    torch.manual_seed(0)
    config = ResNetConfig(
        embedding_size=4, hidden_sizes=[4, 6, 8, 10], depths=[1, 1, 1, 2], layer_type="basic"
    )
    model = ResNetModel(config)
    for name, buffer in model.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    for name, parameter in model.named_parameters():
        if name.endswith("normalization.bias"):
            nn.init.uniform_(parameter)  # of zeros no feature is left in so small a network
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def picture(tmp_path_factory):
    """A path and what is there: 80 by 60 pixels, every one its own."""
    path = tmp_path_factory.mktemp("pictures") / "violin.png"
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (60, 80, 3), generator=generator, dtype=torch.uint8)
    image = Image.fromarray(pixels.numpy())
    image.save(path)
    return path, image
