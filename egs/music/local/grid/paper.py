"""Figures of the paper, of the full MUSIC set, that a grid's results stand beside."""

from __future__ import annotations

# Table 1: SDR on mixtures of two sources after training on mixtures of 1 (supervised), 2, 3 and 4;
# of the semi-supervised system in Table 2, with 5 % of the recordings as single sources.
SDR = {
    "pit": (8.0, None, None, None),
    "mixit": (None, 3.2, 2.3, 1.4),
    "mixpit": (None, 3.6, 2.1, 1.7),
    "clipsep_img": (6.8, 3.8, 2.9, 2.1),
    "clipsep_img_star": (7.4, 4.6, 3.8, 2.9),
    "cosep": (7.9, 4.9, 4.0, 3.1),
    "sop": (6.5, 4.1, 3.5, 2.7),
    "clipsep_text": (7.7, 4.6, 3.5, 2.7),
    "clipsep_text_star": (8.3, 5.4, 4.7, 3.8),
    "bertsep": (7.9, 5.3, 4.0, 3.1),
    "clapsep": (8.1, 5.5, 4.3, 3.5),
    "lassnet": (7.8, 5.2, 4.2, 3.6),
    "weaksup": (None, 3.1, 2.2, 1.9),
    "bimodal_timbre_joint": (None, 5.0, 4.5, 3.5),
    "bimodal_timbre": (None, 6.1, 5.2, 4.1),
    "bimodal_clap": (None, 7.9, 7.1, 6.2),
    "bimodal_semi": (None, 8.8, 8.2, 7.4),
}
# Of their outputs those count that fit the references, which is a help: the order may be another.
WITHOUT_QUERIES = frozenset({"pit", "mixit", "mixpit"})
# Which system is said to be better than which: with as many sources, or though the other is
# supervised.
CLAIMS = (
    ("bimodal_clap", "clipsep_text", False),
    ("bimodal_clap", "clapsep", False),
    ("bimodal_clap", "clapsep", True),
    ("bimodal_semi", "clapsep", True),
)


def sdr(system: str, n_src: int) -> float | None:
    """Gives the paper's SDR in dB; None where it has none.

    Args:
        system: key of the system.
        n_src: sources in each training mixture.
    """
    return SDR[system][n_src - 1] if system in SDR else None
