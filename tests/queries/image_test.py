import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from transformers import CLIPModel, ResNetModel

from asteroid_bimodal.queries import ClipImageEncoder, ResNetFrameEncoder


def reference_pixels(name, options, image):
    """What the image processors of transformers make of a picture."""
    module = pytest.importorskip(f"transformers.models.{name}")
    processor = next(getattr(module, attr) for attr in dir(module) if attr.endswith("ProcessorPil"))
    return processor(**options)(image, return_tensors="pt")["pixel_values"][0]


def test_clip_pixels_equal_the_processors(clip_folder, picture):
    options = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    expected = reference_pixels("clip", options, picture[1])
    received = ClipImageEncoder(clip_folder).pixels(picture[0])
    torch.testing.assert_close(received, expected, atol=1e-4, rtol=0)


def test_resnet_pixels_equal_the_processors(resnet_folder, picture):
    options = {
        "size": {"shortest_edge": 64},
        "crop_pct": 0.875,
        "resample": Image.Resampling.BICUBIC,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    }
    expected = reference_pixels("convnext", options, picture[1])
    received = ResNetFrameEncoder(resnet_folder, image_size=64).pixels(picture[0])
    torch.testing.assert_close(received, expected, atol=1e-4, rtol=0)


def test_clip_equals_transformers(clip_folder, picture):
    encoder, model = ClipImageEncoder(clip_folder), CLIPModel.from_pretrained(clip_folder).eval()
    query = encoder([[picture[0], picture[1]]])
    pixels = encoder.pixels(picture[0])[None]
    with torch.no_grad():
        states = model.vision_model(pixels).last_hidden_state[0]
        pooled = model.get_image_features(pixels).pooler_output[0]
    torch.testing.assert_close(query.tokens[0, 0], states, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(query.pooled[0, 0], pooled / pooled.norm(), atol=1e-5, rtol=1e-5)
    assert torch.equal(query.pooled[0, 0], query.pooled[0, 1])  # path and picture are the same
    assert query.mask.all() and query.tokens.shape == (1, 2, 5, encoder.token_dim)


def test_resnet_is_dilated_and_pooled_by_the_greatest(resnet_folder, picture):
    encoder = ResNetFrameEncoder(resnet_folder, image_size=64)
    pixels = encoder.pixels(picture[0])[None]
    model = ResNetModel.from_pretrained(resnet_folder).eval()
    with torch.no_grad():
        x = model.embedder(pixels)
        for stage in model.encoder.stages[:3]:
            x = stage(x)
        for block in model.encoder.stages[3].layers:
            # The same weights at stride 1: only the first, strided filter keeps its reach.
            shortcut = block.shortcut
            skip = x
            if isinstance(getattr(shortcut, "convolution", None), nn.Conv2d):
                weight = shortcut.convolution.weight
                skip = shortcut.normalization(nn.functional.conv2d(x, weight))
            for layer in block.layer:
                reach = 1 if layer.convolution.stride == (2, 2) else 2
                x = nn.functional.conv2d(x, layer.convolution.weight, padding=reach, dilation=reach)
                x = layer.activation(layer.normalization(x))
            x = block.activation(x + skip)
    query = encoder([[picture[0]]])
    assert x.shape == (1, 10, 4, 4)  # each step is 16 pixels
    torch.testing.assert_close(query.tokens[0, 0], x[0].flatten(1).T, atol=1e-4, rtol=1e-4)
    greatest = x[0].amax((1, 2)).numpy()
    assert (greatest > 0).sum() > 1
    unit = (greatest - greatest.mean()) / (greatest.std() * len(greatest) ** 0.5)
    np.testing.assert_allclose(query.pooled[0, 0], unit, atol=1e-4, rtol=1e-4)


def test_the_dilation_leaves_the_loaded_network_alone(resnet_folder):
    first, second = (ResNetFrameEncoder(resnet_folder, image_size=64) for _ in range(2))
    assert first.fingerprint == second.fingerprint
    assert first.fingerprint != ResNetFrameEncoder(resnet_folder).fingerprint


def test_pictures_are_encoded_once_and_again_when_the_file_changes(clip_folder, tmp_path):
    encoder, path = ClipImageEncoder(clip_folder), tmp_path / "a.png"
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(path)
    first = encoder([[path, str(path)]])
    assert len(encoder.cache) == 1
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (50, 40, 3), np.uint8)).save(path)
    assert not torch.equal(encoder([[path]]).pooled[0, 0], first.pooled[0, 0])


def test_embeddings_of_files_survive_on_disk(clip_folder, picture, tmp_path, monkeypatch):
    first, second = ClipImageEncoder(clip_folder), ClipImageEncoder(clip_folder)
    expected = first([[picture[0]]])
    first.cache.save(tmp_path / "e.safetensors", first.fingerprint)
    assert second.cache.load(tmp_path / "e.safetensors", second.fingerprint) == 1
    monkeypatch.setattr(second, "encode", None)
    assert torch.equal(second([[picture[0]]]).tokens, expected.tokens)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "I;16"])
def test_any_kind_of_picture(clip_folder, picture, mode):
    image = picture[1].convert(mode if mode != "I;16" else "L")
    image = Image.fromarray(np.array(image, np.uint16)) if mode == "I;16" else image
    assert torch.isfinite(ClipImageEncoder(clip_folder)([[image]]).pooled).all()


def test_it_is_frozen(clip_folder, resnet_folder):
    for encoder in (ClipImageEncoder(clip_folder), ResNetFrameEncoder(resnet_folder)):
        encoder.train()
        assert not encoder.network.training
        assert list(encoder.parameters()) == [] and len(encoder.state_dict()) == 0


@pytest.mark.parametrize("query", ["violin", "", None, 3, np.zeros((4, 4, 3))])
def test_what_is_no_picture(clip_folder, query):
    with pytest.raises(ValueError, match="path of an image"):
        ClipImageEncoder(clip_folder)([[query]])


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\nbroken"])
def test_a_broken_file(clip_folder, tmp_path, content):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="Expected an image at .*broken.png"):
        ClipImageEncoder(clip_folder)([[path]])


def test_a_text_model_is_no_image_model(bert_folder):
    with pytest.raises(ValueError, match="'bert', not 'clip'"):
        ClipImageEncoder(bert_folder)
    with pytest.raises(ValueError, match="'bert', not 'resnet'"):
        ResNetFrameEncoder(bert_folder)


def test_bad_size(resnet_folder):
    with pytest.raises(ValueError, match="image_size from 32 to 1024"):
        ResNetFrameEncoder(resnet_folder, image_size=8)


def test_pillow_that_is_not_installed(clip_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ValueError, match=r"pip install 'asteroid-bimodal\[image\]'"):
        ClipImageEncoder(clip_folder)


@pytest.mark.parametrize("size", [(9000, 9000), (40, 4001)])
def test_a_picture_beyond_all_reason_is_refused_before_it_is_decoded(
    clip_folder, tmp_path, monkeypatch, size
):
    encoder, path = ClipImageEncoder(clip_folder), tmp_path / "huge.png"
    Image.new("1", size).save(path)
    decode = lambda *_: pytest.fail("decoded")  # noqa: E731
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load_prepare", decode)
    with pytest.raises(ValueError, match=f"huge.png, got: it has {size[0]} × {size[1]} pixels"):
        encoder([[path]])


def test_a_large_photograph_is_decoded_at_a_part_of_its_size(clip_folder, tmp_path, monkeypatch):
    encoder, seen = ClipImageEncoder(clip_folder), []
    monkeypatch.setattr("asteroid_bimodal.queries.image._MOST_PIXELS", 10_000)
    convert = Image.Image.convert
    for name, size in (("small", (80, 80)), ("large", (800, 800))):
        Image.new("RGB", size, (200, 90, 30)).save(tmp_path / f"{name}.jpg", quality=95)
        monkeypatch.setattr(
            "PIL.Image.Image.convert",
            lambda image, mode: seen.append(image.size) or convert(image, mode),
        )
        seen.append(encoder.pixels(tmp_path / f"{name}.jpg"))
        monkeypatch.setattr("PIL.Image.Image.convert", convert)
    assert seen[0] == (80, 80) and seen[2][0] <= 100
    torch.testing.assert_close(seen[1], seen[3], atol=0.05, rtol=0)


def test_a_picture_that_pillow_would_run_a_program_for(clip_folder, tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "figure.eps")
    with pytest.raises(ValueError, match="Expected an image at .*figure.eps, got: cannot identify"):
        ClipImageEncoder(clip_folder)([[tmp_path / "figure.eps"]])
