"""Stage 2: embeds every phrase and caption that training can ask for, once per encoder."""

from itertools import islice, permutations
from pathlib import Path

from asteroid_bimodal.data.manifest import by_label, read_manifest
from asteroid_bimodal.engine.build import build_query_encoder, embeddings_path
from asteroid_bimodal.engine.recipe import recipe_conf, run_script
from asteroid_bimodal.queries import mixture_caption, phrase_prompt

RECIPE = Path(__file__).parent.parent
LIMIT = 20_000  # texts; what is beyond is embedded when training asks for it


def main(options: list[str]) -> None:
    """Writes `<root>/embeddings/<fingerprint>.safetensors`, which training reads."""
    conf = recipe_conf(RECIPE, options)
    data = conf.data
    labels = list(by_label(read_manifest(Path(data.root) / "train.csv")))
    prompts = [data.prompt, *data.more_prompts]
    texts = [phrase_prompt(label, prompt) for label in labels for prompt in prompts]
    if data.n_src > 1:
        groups = islice(permutations(labels, data.n_src), LIMIT)
        texts += [mixture_caption(list(group), data.caption) for group in groups]
    encoder = build_query_encoder(conf)
    path = embeddings_path(conf, encoder)
    missing = [text for text in dict.fromkeys(texts) if encoder.cache.get(text) is None]
    if missing:
        encoder([missing])
        encoder.cache.save(path, encoder.fingerprint)
    print(f"{len(missing)} texts embedded, {len(texts) - len(missing)} known: {path}")


if __name__ == "__main__":
    run_script(main)
