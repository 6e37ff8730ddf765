"""Stage 2: embeds every phrase and caption that training can ask for, once per encoder."""

from itertools import permutations
from pathlib import Path

from asteroid_bimodal.data.datasets import caption_of
from asteroid_bimodal.data.manifest import by_label, read_manifest
from asteroid_bimodal.engine.build import build_query_encoder, embeddings_path
from asteroid_bimodal.engine.recipe import recipe_conf, run_script

RECIPE = Path(__file__).parent.parent
LIMIT = 20_000  # texts; what is beyond is embedded when training asks for it


def main(options: list[str]) -> None:
    """Writes `<root>/embeddings/<fingerprint>.safetensors`, which training reads."""
    conf = recipe_conf(RECIPE, options)
    data = conf.data
    labels = list(by_label(read_manifest(Path(data.root) / "train.csv")))
    texts = [caption_of([label], data.prompt, data.caption) for label in labels]
    for group in permutations(labels, data.n_src):
        if len(texts) == LIMIT:
            break
        texts.append(caption_of(list(group), data.prompt, data.caption))
    encoder = build_query_encoder(conf)
    path = embeddings_path(conf, encoder)
    missing = [text for text in dict.fromkeys(texts) if encoder.cache.get(text) is None]
    if missing:
        encoder([missing])
        encoder.cache.save(path, encoder.fingerprint)
    print(f"{len(missing)} texts embedded, {len(texts) - len(missing)} known: {path}")


if __name__ == "__main__":
    run_script(main)
