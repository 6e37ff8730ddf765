"""The findings of a check, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

ERROR, WARNING = "error", "warning"

# Every kind of finding and its severity. Errors make figures wrong or files useless; warnings may
# be intended.
_ERRORS = (
    *("broken manifest", "bad path", "bad split", "no words", "duplicate row", "missing file"),
    *("unreadable", "not finite", "too loud", "wrong seconds", "video in two splits"),
    "content in two splits",
    *("broken list", "training clip in list", "video in other train", "content in other train"),
)
_WARNINGS = (
    *("no manifest", "short", "silent", "duplicate content", "similar labels"),
    *("label not in train", "clip of list is gone"),
)
SEVERITY = dict.fromkeys(_ERRORS, ERROR) | dict.fromkeys(_WARNINGS, WARNING)


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        kind: one of `SEVERITY`.
        where: manifest or list, and the clip or label.
        detail: what is wrong there.
    """

    kind: str
    where: str
    detail: str


@dataclass
class CheckReport:
    """What was checked and what was found.

    Attributes:
        root: folder of the data set.
        clips: number of rows of each manifest.
        labels: number of labels.
        lists: names of the evaluation lists.
        decoded: whether files were decoded, without which silence and NaN are not found.
        findings: all of them.
        against: folders of the other data sets whose training clips were compared.

    Examples:
        >>> report = CheckReport("data", {"train": 2}, 1, [], False)
        >>> report.findings.append(Finding("missing file", "train.csv, a.wav", "not there"))
        >>> report.num_errors, report.num_warnings
        (1, 0)
    """

    root: str
    clips: dict[str, int] = field(default_factory=dict)
    labels: int = 0
    lists: list[str] = field(default_factory=list)
    decoded: bool = False
    findings: list[Finding] = field(default_factory=list)
    against: list[str] = field(default_factory=list)

    @property
    def num_errors(self) -> int:
        """Number of errors."""
        return sum(SEVERITY[finding.kind] == ERROR for finding in self.findings)

    @property
    def num_warnings(self) -> int:
        """Number of warnings."""
        return len(self.findings) - self.num_errors

    def by_kind(self) -> dict[str, list[Finding]]:
        """Groups the findings, errors first."""
        groups = {kind: [f for f in self.findings if f.kind == kind] for kind in SEVERITY}
        return {kind: findings for kind, findings in groups.items() if findings}

    def table(self, examples: int = 3) -> str:
        """The findings as text, with the first few `examples` of each kind."""
        clips = ", ".join(f"{count} {split}" for split, count in self.clips.items())
        lines = [f"{self.root}: clips: {clips}; labels: {self.labels}; lists: {len(self.lists)}"]
        lines += [f"against: {', '.join(self.against)}"] if self.against else []
        for kind, findings in self.by_kind().items():
            shown = [f"{finding.where}: {finding.detail}" for finding in findings[:examples]]
            more = len(findings) - len(shown)
            shown += [f"… and {more} more"] if more else []
            heads = [f"{SEVERITY[kind]:8} {kind:22} {len(findings):6}  "]
            heads += [" " * len(heads[0])] * (len(shown) - 1)
            lines += ["", *map("".join, zip(heads, shown, strict=True))]
        lines += ["", f"{_count(self.num_errors, ERROR)}, {_count(self.num_warnings, WARNING)}."]
        if not self.decoded:
            lines.append(
                "Only headers were read: --decode also finds silence, NaN and files that break off."
            )
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "root": self.root,
            "clips": self.clips,
            "labels": self.labels,
            "lists": self.lists,
            "decoded": self.decoded,
            "against": self.against,
            "errors": self.num_errors,
            "warnings": self.num_warnings,
            "findings": [
                {"kind": kind, "severity": SEVERITY[kind], "count": len(found)}
                | {"items": [{"where": f.where, "detail": f.detail} for f in found]}
                for kind, found in self.by_kind().items()
            ],
        }


def _count(number: int, name: str) -> str:
    return f"{number} {name}" + ("" if number == 1 else "s")


def shorten(names: Iterable[object], most: int = 3) -> str:
    """Lists the first few names."""
    texts = [str(name) for name in names]
    rest = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + rest
