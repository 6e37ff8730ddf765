"""Stage 2: embeds every phrase and caption that training can ask for, once per encoder.

Systems that listen with a frozen classifier of timbres get it here, too.
"""

from itertools import islice, permutations
from pathlib import Path

from omegaconf import DictConfig

from asteroid_bimodal.engine.build import (
    TIMBRE,
    build_query_encoder,
    classifier_path,
    embeddings_path,
)
from asteroid_bimodal.engine.loaders import labels_of
from asteroid_bimodal.engine.recipe import recipe_conf, run_script
from asteroid_bimodal.engine.timbre import train_classifier
from asteroid_bimodal.queries import mixture_caption, phrase_prompt

RECIPE = Path(__file__).parent.parent
LIMIT = 20_000  # texts; what is beyond is embedded when training asks for it


def main(options: list[str]) -> None:
    """Writes `<root>/embeddings/<fingerprint>.safetensors`, which training reads."""
    conf = recipe_conf(RECIPE, options)
    # What the others' queries embed to is nothing to keep; frames are embedded when they are seen.
    if not conf.data.frames and conf.query.encoder not in ("label", "outputs"):
        embed(conf)
    path = classifier_path(conf)
    if TIMBRE in conf.loss.terms and not path.exists():
        train_classifier(conf).save(path)
        print(f"timbre classifier trained: {path}")


def embed(conf: DictConfig) -> None:
    """Embeds what is missing."""
    data, labels = conf.data, labels_of(conf)
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
