"""Published separators, told from each other by the names of their weights."""

from __future__ import annotations

from collections.abc import Iterable

# Of each layout a weight that no other has.
LAYOUTS = {
    "the paper's release": "net_clap.fc.weight",
    "AudioSep": "ss_model.base.bn0.weight",
    "CLIPSep": "sound_net.bn0.weight",
}
_CLAP = "text_branch.embeddings.word_embeddings.weight"


def find_layout(names: Iterable[str]) -> str | None:
    """Tells of which published separator weights are, by their names; None of no known one."""
    plain = {str(name).removeprefix("module.") for name in names}
    return next((title for title, name in LAYOUTS.items() if name in plain), None)


def explain(names: Iterable[str], source: str) -> str:
    """Says what a file is that is no saved model, and what to do with it; "" if it is unknown."""
    names = list(names)
    if title := find_layout(names):
        return (
            f"{source} is a checkpoint of {title}: convert it with "
            f"`asteroid-bimodal import {source} FOLDER` and use the folder."
        )
    if any(str(name).endswith(_CLAP) for name in names):
        return (
            f"{source} is a CLAP, which reads queries and separates nothing: use it as the query "
            f"encoder 'laion:{source}'."
        )
    return ""
