"""Tables over the cells of a grid, in the layouts of the paper, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asteroid_bimodal.report.page import format_number

from .cells import SYSTEMS, Cell, Group

METRICS = {
    "sdr": "SDR",
    "sdr_imp": "SDR improvement",
    "sir": "SIR",
    "sar": "SAR",
    "si_sdr_imp": "SI-SDR improvement",
    "colouration": "Colouration",
}
SOURCES = (1, 2, 3, 4)
# SDR for 1 to 4 sources per training mixture in the paper's Table 1; of the semi-supervised system
# in Table 2, with 5 % of the recordings as single sources.
_PAPER = {
    "clipsep_text": (7.7, 4.6, 3.5, 2.7),
    "clapsep": (8.1, 5.5, 4.3, 3.5),
    "bimodal_clap": (None, 7.9, 7.1, 6.2),
    "bimodal_semi": (None, 8.8, 8.2, 7.4),
}
# Which system is said to be better than which: with as many sources, or though the other is
# supervised.
_CLAIMS = (
    ("bimodal_clap", "clipsep_text", False),
    ("bimodal_clap", "clapsep", False),
    ("bimodal_clap", "clapsep", True),
    ("bimodal_semi", "clapsep", True),
)
# What semi-supervised training compares with: system, whether supervised.
_REFERENCES = {("clapsep", True), ("bimodal_clap", False)}


@dataclass(frozen=True)
class Claim:
    """How many times another system's SDR, and improvement of SI-SDR, a system has.

    Attributes:
        system: key of the system.
        other: key of the other one.
        n_src: sources in the training mixtures of the system.
        other_n_src: sources in those of the other one; 1 is supervised.
        ratio: of SDR, measured.
        paper: of SDR, the paper's, on the full data.
        si_sdr_ratio: of the improvements of SI-SDR, None where the other system has none.
    """

    system: str
    other: str
    n_src: int
    other_n_src: int
    ratio: float
    paper: float
    si_sdr_ratio: float | None = None


def find_claims(groups: Sequence[Group]) -> list[Claim]:
    """Computes the ratios that the paper claims of SDR, where both cells exist.

    Args:
        groups: of `group_cells`; those with options of their own take no part.
    """
    cells = {
        (group.first.system, group.first.n_src): group
        for group in groups
        if not group.first.options
    }
    claims = []
    for system, other, supervised in _CLAIMS:
        for n_src in SOURCES[1:]:
            other_n_src = 1 if supervised else n_src
            pair = cells.get((system, n_src)), cells.get((other, other_n_src))
            if (ratio := _ratio(*pair, "sdr")) is not None:
                paper = _PAPER[system][n_src - 1] / _PAPER[other][other_n_src - 1]
                si_sdr = _ratio(*pair, "si_sdr_imp")
                claims.append(Claim(system, other, n_src, other_n_src, ratio, paper, si_sdr))
    return claims


def _ratio(group: Group | None, other: Group | None, metric: str) -> float | None:
    """A metric's means over each other; nothing is a number of times what does not separate."""
    above, below = group and group.score(metric), other and other.score(metric)
    return above.mean / below.mean if above and below and below.mean > 0 else None


def first_table(groups: Sequence[Group]) -> str:
    """Lays out SDR as the paper's Table 1 does: systems by sources per training mixture.

    Args:
        groups: of `group_cells`; those with options of their own and the semi-supervised ones have
            their places elsewhere.
    """
    found: dict[str, dict[int, Group]] = {}
    for group in groups:
        if not group.first.options and not group.first.semi_supervised:
            found.setdefault(group.name, {})[group.first.n_src] = group
    rows = [[name, *(_score(row.get(n)) for n in SOURCES)] for name, row in found.items()]
    return table(["System", "1 (supervised)", "2", "3", "4"], rows)


def second_table(groups: Sequence[Group]) -> str:
    """Lays out what was learned from which part of the data, as the paper's Table 2 does.

    Args:
        groups: of `group_cells`; shown are the semi-supervised ones, and the supervised and
            unsupervised ones that they compare with.
    """
    rows = [
        [
            group.name_beside_shares,
            _part(group.first.single_share, group.first.single_root),
            _part(group.first.mixture_share),
            str(group.first.n_src) if group.first.mixture_share else "–",
            *(_score(group, metric) for metric in ("sdr", "sir", "sar")),
        ]
        for group in groups
        if group.first.semi_supervised or _is_reference(group)
    ]
    header = ["System", "Single sources", "Mixtures", "Sources in each", "SDR", "SIR", "SAR"]
    return table(header, rows) if any(group.first.semi_supervised for group in groups) else ""


def claims_table(claims: Sequence[Claim]) -> str:
    """Lists ratios beside those of the paper.

    Args:
        claims: of `find_claims`.
    """
    rows = []
    for claim in claims:
        condition = "supervised" if claim.other_n_src == 1 else f"{claim.other_n_src} sources"
        rows.append(
            [
                f"{SYSTEMS[claim.system]}, {claim.n_src} sources",
                f"{SYSTEMS[claim.other]}, {condition}",
                format_number(claim.ratio),
                format_number(claim.paper),
                format_number(claim.si_sdr_ratio),
            ]
        )
    header = ["System", "over", "SDR, here", "SDR, paper, full MUSIC", "SI-SDR improvement, here"]
    return table(header, rows)


def metrics_table(groups: Sequence[Group]) -> str:
    """Lists all metrics of all groups.

    Args:
        groups: of `group_cells`.
    """
    rows = [
        [
            group.name,
            str(group.first.n_src),
            ", ".join(str(cell.seed) for cell in group.cells),
            *(_score(group, metric) for metric in METRICS),
        ]
        for group in groups
    ]
    return table(["System", "Sources", "Seeds", *METRICS.values()], rows)


def provenance_table(groups: Sequence[Group]) -> str:
    """Lists how every cell came about.

    Args:
        groups: of `group_cells`.
    """
    header = ["Experiment", "Command", "Commit", "Device", "Minutes", "Steps"]
    header += ["Best validation SDR", "Test list"]
    return table(header, [_provenance(cell) for group in groups for cell in group.cells])


def _provenance(cell: Cell) -> list[str]:
    run, best = cell.run, cell.run.get("best_val_sdr")
    devices = run.get("num_devices", 1)
    minutes = format_number(run.get("minutes"), 1)
    return [
        f"`{cell.folder}`",
        f"`{run.get('command', '–')}`",
        str(run.get("commit") or "–"),
        str(run.get("device", "–")) + (f" × {devices}" if devices > 1 else ""),
        minutes + (f" (last of {cell.parts} parts)" if cell.parts > 1 else ""),
        str(run.get("steps", "–")),
        format_number(best),
        f"`{cell.summary.get('test_list', '–')}`",
    ]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""Writes a Markdown table; an empty text where there are no rows.

    Args:
        header: of the columns.
        rows: of cells.

    Examples:
        >>> print(table(["System", "2"], [["PIT*", "a | b"]]))
        | System | 2 |
        |-|-|
        | PIT\* | a \| b |
    """
    if not rows:
        return ""
    first, *rest = (f"| {' | '.join(map(_escape, cells))} |" for cells in [header, *rows])
    return "\n".join([first, "|" + "-|" * len(header), *rest])


def _escape(text: str) -> str:
    text = text.replace("|", "\\|")
    return text if text.startswith("`") else text.replace("*", "\\*")


def _score(group: Group | None, metric: str = "sdr") -> str:
    score = group and group.score(metric)
    if score is None:
        return "–"
    interval = "" if score.half is None else f" ± {format_number(score.half)}"
    return format_number(score.mean) + interval


def _part(share: float, root: str | None = None) -> str:
    return f"{100 * share:.4g} %" + (f" of {root}" if root else "") if share else "–"


def _is_reference(group: Group) -> bool:
    cell = group.first
    plain = group.name_beside_shares == SYSTEMS.get(cell.system)
    return plain and (cell.system, not cell.mixture_share) in _REFERENCES
