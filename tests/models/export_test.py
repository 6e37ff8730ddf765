"""The masker leaves Python: traced, compiled and as ONNX it gives the same masks."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from tiny_model import MASKER, HashedWords, build_tiny

from asteroid_bimodal.dsp.spectral import log_magnitude, magnitude
from asteroid_bimodal.models.export import TensorMasker, export_onnx
from asteroid_bimodal.queries import QueryEmbedding

# PyTorch wants torch.jit to be given up.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.* is deprecated:FutureWarning")

# Frames (the network's grid is 32), queries, tokens of a query.
SIZES = [(95, 3, 5), (128, 2, 7), (33, 5, 2), (31, 1, 1), (1, 4, 3)]


def inputs(frames, queries, length, batch=1):
    generator = torch.Generator().manual_seed(frames)
    lengths = torch.randint(0, length + 1, (batch, queries, 1), generator=generator)
    return (
        torch.rand(batch, 1, 65, frames, generator=generator),
        torch.randn(batch, queries, length, MASKER["cond_dim"], generator=generator),
        torch.arange(length) < lengths,
        torch.randn(batch, queries, MASKER["pooled_dim"], generator=generator),
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A model, and its masker as onnxruntime runs it."""
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    model = build_tiny().train()
    path = tmp_path_factory.mktemp("onnx") / "masker.onnx"
    export_onnx(model, path)
    assert model.training and [file.name for file in path.parent.iterdir()] == ["masker.onnx"]
    return model.eval(), runtime.InferenceSession(path, providers=["CPUExecutionProvider"])


def run(session, tensors):
    names = [item.name for item in session.get_inputs()]
    (masks,) = session.run(["masks"], dict(zip(names, (t.numpy() for t in tensors), strict=True)))
    return torch.from_numpy(masks)


@pytest.mark.parametrize("sizes", SIZES)
def test_onnx_gives_the_masks_of_any_frames_queries_and_tokens(exported, sizes):
    model, session = exported
    tensors = inputs(*sizes)
    with torch.no_grad():
        expected = TensorMasker(model.masker)(*tensors)
    torch.testing.assert_close(run(session, tensors), expected, rtol=0, atol=1e-4)


def test_onnx_file_says_what_it_takes(exported):
    model, session = exported
    axes = {item.name: item.shape for item in session.get_inputs()}
    assert axes == {
        "log_mag": [1, 1, 65, "frames"],
        "tokens": [1, "queries", "length", 6],
        "mask": [1, "queries", "length"],
        "pooled": [1, "queries", 5],
    }
    metadata = session.get_modelmeta().custom_metadata_map
    described = {key: metadata[key] for key in ("sample_rate", "n_fft", "hop_length")}
    assert described == {"sample_rate": "8000", "n_fft": "128", "hop_length": "32"}
    assert json.loads(metadata["model_args"]) == model.get_model_args()


def test_separating_with_the_onnx_file_equals_the_model(exported):
    model, session = exported
    wav = torch.randn(1, 5000, generator=torch.Generator().manual_seed(0))
    query = HashedWords()([["violin", "acoustic guitar"]])
    with torch.no_grad():
        spectrum = model.forward_encoder(wav.unsqueeze(1))  # (1, 1, 2·F, T)
        log_mag = log_magnitude(magnitude(spectrum))
        masks = run(session, (log_mag, query.tokens, query.mask, query.pooled))
        estimates = model.forward_decoder(model.apply_masks(spectrum, masks), 5000).squeeze(2)
        expected = model(wav, query)
    torch.testing.assert_close(estimates, expected, rtol=0, atol=1e-4)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_traced_masker_takes_other_sizes_and_is_saved(tmp_path):
    masker = TensorMasker(build_tiny().masker)
    traced = torch.jit.trace(masker, inputs(95, 3, 5))
    torch.jit.save(traced, tmp_path / "masker.pt")
    loaded = torch.jit.load(tmp_path / "masker.pt")
    for sizes in [*SIZES, (64, 3, 4, 2)]:
        tensors = inputs(*sizes)
        torch.testing.assert_close(loaded(*tensors), masker(*tensors))


def test_what_is_exported_separates_as_the_model_does(monkeypatch):
    model, (_, *query) = build_tiny(input_level=1.0), inputs(1, 3, 5, batch=2)
    for length in (1, 31, 3000, 3001):
        wav = torch.randn(2, length, generator=torch.Generator().manual_seed(length))
        expected = model(wav, QueryEmbedding(*query))
        with monkeypatch.context() as patch:
            patch.setattr(torch.compiler, "is_exporting", lambda: True)
            torch.testing.assert_close(model(wav, QueryEmbedding(*query)), expected)


@pytest.mark.slow
def test_whole_model_is_exported_for_other_lengths_mixtures_and_queries(tmp_path):
    # With this hop the padding depends on the length.
    model, any_size = build_tiny(input_level=1.0, hop_length=64), torch.export.Dim.AUTO
    _, *query = inputs(1, 3, 5, batch=2)
    axes = [{0: any_size, 1: any_size, 2: any_size}] * 2 + [{0: any_size, 1: any_size}]
    program = torch.export.export(
        model,
        (torch.randn(2, 3000), QueryEmbedding(*query)),
        dynamic_shapes=({0: any_size, 1: any_size}, axes),
    )
    torch.export.save(program, tmp_path / "model.pt2")
    loaded = torch.export.load(tmp_path / "model.pt2").module(check_guards=False)
    for length, sizes in [(4001, (1, 4, 2)), (2000, (1, 2, 7, 3)), (70, (1, 1, 1))]:
        _, *query = inputs(*sizes)
        wav = torch.randn(len(query[0]), length)
        expected = model(wav, QueryEmbedding(*query))
        torch.testing.assert_close(loaded(wav, QueryEmbedding(*query)), expected)


def test_script_is_not_supported():
    """docs/export.md says so; the day that this fails, it has to say otherwise."""
    with pytest.raises((torch.jit.frontend.NotSupportedError, RuntimeError)):
        torch.jit.script(TensorMasker(build_tiny().masker))


@pytest.mark.slow
def test_compiled_masker_is_one_graph_and_the_model_separates_as_before():
    model, compiled = build_tiny(), build_tiny()
    compiled.masker.compile(fullgraph=True)
    for length, queries in [(3000, ["violin", "a tuba"]), (2000, ["a tuba", "violin", "flute"])]:
        wav = torch.randn(1, length, generator=torch.Generator().manual_seed(length))
        with torch.no_grad():
            torch.testing.assert_close(
                compiled(wav, queries), model(wav, queries), rtol=0, atol=1e-4
            )


@pytest.mark.slow
def test_masker_that_looks_at_padding_is_exported(tmp_path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    model = build_tiny(mask_padding=False)
    export_onnx(model, tmp_path / "masker.onnx")
    session = runtime.InferenceSession(tmp_path / "masker.onnx")
    for sizes in SIZES:
        tensors = inputs(*sizes)
        with torch.no_grad():
            expected = TensorMasker(model.masker)(*tensors)
        torch.testing.assert_close(run(session, tensors), expected, rtol=0, atol=1e-4)


def test_what_cannot_be_exported_is_refused(tmp_path, monkeypatch):
    model = build_tiny()
    with pytest.raises(ValueError, match="ends in .onnx, received 'masker.pt'"):
        export_onnx(model, "masker.pt")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match="pip install onnx onnxscript"):
        export_onnx(model, tmp_path / "masker.onnx")
    assert not list(tmp_path.iterdir())
    model.masker = torch.nn.Identity()
    with pytest.raises(ValueError, match="masker is a CondUNet.*received Identity"):
        export_onnx(model, tmp_path / "masker.onnx")
