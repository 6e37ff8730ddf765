"""Checking a data set: manifests, audio files, words, splits and pinned lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from ..manifest import Clip, read_manifest
from .files import TOLERANCE, Probe, digest_files, probe_files
from .findings import SEVERITY, CheckReport, Finding
from .others import check_others, read_others
from .splits import check_contents, check_leaks, check_lists, find_lists, video_id
from .words import are_similar, check_words

__all__ = ["SEVERITY", "CheckReport", "Finding", "are_similar", "check_dataset", "video_id"]

SPLITS = ("train", "valid", "test")


def check_dataset(
    root: str | Path,
    *,
    decode: bool = False,
    min_seconds: float = 1.0,
    jobs: int = 8,
    against: Sequence[str | Path] = (),
) -> CheckReport:
    """Looks for everything that is wrong with a data set.

    Args:
        root: folder with train.csv, valid.csv, test.csv and lists/.
        decode: read every file to its end, not its header alone; also finds silence, NaN, files
            that break off, and the same sound in different formats.
        min_seconds: shorter clips are reported.
        jobs: files looked at at a time.
        against: folders of other data sets that are trained on, too: no clip of their train.csv may
            be in this one's valid.csv, test.csv or lists.

    Raises:
        FileNotFoundError: when there is no manifest, or one of the others has no train.csv.
        ValueError: for fewer than one job, and when one of the others is the data set itself or has
            a train.csv that cannot be read.
    """
    root = Path(root)
    if jobs < 1:
        raise ValueError(f"Expected one job or more, received {jobs}.")
    present = [split for split in SPLITS if (root / f"{split}.csv").is_file()]
    if not present:
        raise FileNotFoundError(
            f"Expected a data set with train.csv, valid.csv and test.csv at {root}, found none of "
            "them. Run stage 0."
        )
    others = read_others(root, against)
    report = CheckReport(str(root), decoded=decode, against=[str(other) for other in others])
    splits = _read_splits(root, present, report.findings)
    paths = list(dict.fromkeys(clip.path for clips in splits.values() for clip in clips))
    probes = probe_files(root, paths, decode=decode, jobs=jobs)
    report.clips = {split: len(clips) for split, clips in splits.items()}
    report.labels = len({c.label for clips in splits.values() for c in clips if c.label})
    report.lists = [path.name for path in find_lists(root)]
    for split, clips in splits.items():
        report.findings += _check_rows(split, clips)
        report.findings += _check_files(split, clips, probes, min_seconds)
    report.findings += check_words(splits)
    report.findings += check_leaks(splits)
    report.findings += check_contents(splits, digest_files(root, probes, jobs))
    report.findings += check_lists(root, splits, probes)
    report.findings += check_others(root, splits, others, jobs)
    return report


def _read_splits(
    root: Path, present: Sequence[str], findings: list[Finding]
) -> dict[str, list[Clip]]:
    splits = {}
    for split in SPLITS:
        name = f"{split}.csv"
        if split not in present:
            findings.append(Finding("no manifest", name, "there is no such file"))
            continue
        try:
            splits[split] = read_manifest(root / name)
        except ValueError as error:
            findings.append(Finding("broken manifest", name, str(error)))
    return splits


def _check_rows(split: str, clips: Sequence[Clip]) -> Iterator[Finding]:
    """Looks at rows, without their files. A clip may have several captions but only one label."""
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
