"""Checks of a data set: manifests, audio files, labels, leaks between sets, evaluation lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from ..manifest import Clip, read_manifest
from .files import TOLERANCE, Probe, digest_files, probe_files
from .labels import check_labels
from .leaks import check_contents, check_lists, check_others, check_videos, read_lists, read_others
from .report import SEVERITY, CheckReport, Finding

__all__ = ["SEVERITY", "CheckReport", "Finding", "check_dataset"]

SPLITS = ("train", "valid", "test")


def check_dataset(
    root: str | Path,
    *,
    decode: bool = False,
    min_seconds: float = 1.0,
    jobs: int = 8,
    against: Sequence[str | Path] = (),
) -> CheckReport:
    """Finds what is wrong with a data set.

    Args:
        root: folder with train.csv, valid.csv, test.csv and lists/.
        decode: read every file to its end, not its header alone; also finds silence, NaN, files
            that break off, and the same sound in different formats.
        min_seconds: shorter clips are reported.
        jobs: files read at a time.
        against: folders of other data sets that are trained on, too: no clip of their train.csv may
            be in this one's valid.csv, test.csv or lists.

    Raises:
        FileNotFoundError: when there is no folder, no manifest in it, or no train.csv in one of the
            others.
        ValueError: for fewer than one job, and when one of the others is the data set itself or has
            a train.csv that cannot be read.
    """
    root = Path(root)
    if jobs < 1:
        raise ValueError(f"Expected one job or more, received {jobs}.")
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {root}.")
    if not any((root / f"{split}.csv").is_file() for split in SPLITS):
        raise FileNotFoundError(
            f"{root} has no train.csv, valid.csv or test.csv. Run stage 0, which writes them."
        )
    others = read_others(root, against)
    splits, findings = _read_splits(root)
    lists, broken_lists = read_lists(root)
    paths = list(dict.fromkeys(clip.path for clips in splits.values() for clip in clips))
    probes = probe_files(root, paths, decode=decode, jobs=jobs)
    for split, clips in splits.items():
        findings += _check_rows(split, clips)
        findings += _check_files(split, clips, probes, min_seconds)
    findings += check_labels(splits)
    findings += check_videos(root, splits)
    findings += check_contents(splits, digest_files(root, probes, jobs))
    findings += [*broken_lists, *check_lists(root, splits, lists, probes)]
    findings += check_others(root, splits, lists, others, jobs)
    return CheckReport(
        root=str(root),
        clips={split: len(clips) for split, clips in splits.items()},
        labels=len({c.label for clips in splits.values() for c in clips if c.label}),
        lists=list(lists),
        decoded=decode,
        findings=findings,
        against=[str(other) for other in others],
    )


def _read_splits(root: Path) -> tuple[dict[str, list[Clip]], list[Finding]]:
    splits, findings = {}, []
    for split in SPLITS:
        name = f"{split}.csv"
        if not (root / name).is_file():
            findings.append(Finding("no manifest", name, "there is no such file"))
            continue
        try:
            splits[split] = read_manifest(root / name)
        except ValueError as error:
            findings.append(Finding("broken manifest", name, str(error)))
    return splits, findings


def _check_rows(split: str, clips: Sequence[Clip]) -> Iterator[Finding]:
    """Checks rows, without their files. A clip may have several captions but only one label."""
    seen: dict[str, set[tuple[str, str]]] = {}
    for clip in clips:
        where, words = f"{split}.csv, {clip.path}", (clip.label, clip.caption)
        if not any(words):
            yield Finding("no words", where, "neither a label nor a caption")
        if clip.split != split:
            yield Finding("bad split", where, f"expected {split}, received {clip.split!r}")
        pure = PurePosixPath(clip.path)
        if pure.is_absolute() or PureWindowsPath(clip.path).drive or ".." in pure.parts:
            yield Finding("bad path", where, "expected a path below the manifest's folder")
        others = seen.setdefault(clip.path, set())
        if words in others:
            yield Finding("duplicate row", where, "the same row again")
        elif clip.label not in {label for label, _ in others} and others:
            labels = sorted({label for label, _ in others} | {clip.label})
            yield Finding("duplicate row", where, f"with the labels {', '.join(map(repr, labels))}")
        others.add(words)


def _check_files(
    split: str, clips: Sequence[Clip], probes: Mapping[str, Probe], min_seconds: float
) -> Iterator[Finding]:
    for clip in {clip.path: clip for clip in clips}.values():
        where, probe = f"{split}.csv, {clip.path}", probes[clip.path]
        if probe.problem:
            yield Finding(probe.problem, where, probe.detail)
        if probe.problem in ("missing file", "unreadable"):
            continue
        if probe.seconds < min_seconds:
            yield Finding("short", where, f"{probe.seconds:.2f} s")
        if abs(probe.seconds - clip.seconds) > TOLERANCE:
            detail = f"the manifest says {clip.seconds:.2f}, the file has {probe.seconds:.2f}"
            yield Finding("wrong seconds", where, detail)
