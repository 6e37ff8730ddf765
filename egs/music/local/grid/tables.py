"""Tables over the cells of a grid, in the layouts of the paper, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from asteroid_bimodal.report.page import format_interval, format_number

from . import paper
from .cells import SYSTEMS, Cell, Group
from .claims import Agreement, Claim, Figure

METRICS = {
    "sdr": "SDR",
    "sdr_imp": "SDR improvement",
    "sir": "SIR",
    "sar": "SAR",
    "si_sdr_imp": "SI-SDR improvement",
    "colouration": "Colouration",
}
SOURCES = (1, 2, 3, 4)
# What semi-supervised training compares with: system, whether supervised.
_REFERENCES = {("clapsep", True), ("bimodal_clap", False)}


def first_table(groups: Sequence[Group]) -> str:
    """Lays out SDR as the paper's Table 1 does: systems by sources per training mixture.

    Args:
        groups: of `group_cells`; those with options of their own and the semi-supervised ones have
            their places elsewhere.
    """
    found: dict[str, dict[int, Group]] = {}
    for group in groups:
        if not group.first.options and not group.first.semi_supervised:
            found.setdefault(group.first.system, {})[group.first.n_src] = group
    rows = [
        [SYSTEMS.get(system, system), *(_beside_paper(system, n, row.get(n)) for n in SOURCES)]
        for system, row in found.items()
    ]
    return table(["System", "1 (supervised)", "2", "3", "4"], rows)


def _beside_paper(system: str, n_src: int, group: Group | None) -> str:
    known = paper.sdr(system, n_src)
    return _score(group) + (f" ({format_number(known, 1)})" if known else "")


def agreement_table(agreements: Sequence[Agreement]) -> str:
    """Lists whether the systems of each column of Table 1 come in the paper's order.

    Args:
        agreements: of `find_agreements`.
    """
    rows = [
        [
            str(one.n_src),
            f"{one.systems}, with queries" if one.queried else str(one.systems),
            _with_interval(one.sdr),
            _with_interval(one.si_sdr_imp),
        ]
        for one in agreements
    ]
    header = ["Sources per training mixture", "Systems", "By SDR", "By SI-SDR improvement"]
    return table(header, rows)


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
                _with_interval(claim.sdr),
                format_number(claim.paper),
                _with_interval(claim.si_sdr_imp),
            ]
        )
    header = ["System", "over", "SDR, here", "SDR, paper, full MUSIC", "SI-SDR improvement, here"]
    return table(header, rows)


def _with_interval(figure: Figure | None) -> str:
    if figure is None:
        return "–"
    interval = f" ({format_interval(figure.interval)})" if figure.interval else ""
    return format_number(figure.value) + interval


def metrics_table(groups: Sequence[Group]) -> str:
    """Lists all metrics of all groups.

    Args:
        groups: of `group_cells`.
    """
    rows = [[*_who(group), *(_score(group, metric) for metric in METRICS)] for group in groups]
    return table(["System", "Sources", "Seeds", *METRICS.values()], rows)


def recordings_table(groups: Sequence[Group]) -> str:
    """Lists what groups gain on pairs of real recordings.

    Args:
        groups: of `group_cells`; those that were not scored so are left out.
    """
    rows = []
    for group in filter(None, (group.on_recordings for group in groups)):
        better = sum(cell.recordings["better"] for cell in group.cells) / len(group.cells)
        scores = [_score(group, metric) for metric in ("sdr_imp", "si_sdr_imp")]
        rows.append([*_who(group), *scores, f"{100 * better:.0f} %"])
    header = ["System", "Sources", "Seeds", METRICS["sdr_imp"], METRICS["si_sdr_imp"]]
    return table([*header, "Better than the mixture"], rows)


def _who(group: Group) -> list[str]:
    seeds = ", ".join(str(cell.seed) for cell in group.cells)
    return [group.name, str(group.first.n_src), seeds]


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
