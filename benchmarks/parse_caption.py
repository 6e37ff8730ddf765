"""How fast and how well captions are parsed.

Usage: python benchmarks/parse_caption.py [--captions AUDIOCAPS.csv] [--release RELEASE.json]

Without arguments the test fixtures are used. `--captions` takes any CSV file with a `caption`
column, `--release` a JSON object from captions to the phrases of the paper's release.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import time
from pathlib import Path

from paired import ratio

from asteroid_bimodal.queries.captions import parse_caption

FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures"


def plain(phrases: list[str]) -> set[str]:
    """Phrase set without case and stray punctuation."""
    return {phrase.lower().strip(" .,'") for phrase in phrases}


def speed(captions: list[str], repeats: int = 5) -> float:
    """Captions a second, the best of several runs."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        for caption in captions:
            parse_caption(caption)
        best = min(best, time.perf_counter() - start)
    return len(captions) / best


def short() -> dict[str, float]:
    """Time of parsing over that of finding the words, for `benchmarks.check`."""
    captions = list(json.loads((FIXTURES / "parser_release_sample.json").read_text("utf-8")))

    def parse() -> None:
        for caption in captions:
            parse_caption(caption)

    def words() -> None:
        for _ in range(20):
            for caption in captions:
                re.findall(r"\w+", caption.lower())

    return {"parsing captions, their words 20 times = 1": ratio(parse, words)}


def report_table(rows: list[dict], name: str) -> None:
    """Exact phrase sets of ours and, where known, of the release's rules."""
    ours = [plain(parse_caption(row["caption"])) == plain(row["phrases"]) for row in rows]
    both = [k for k, row in enumerate(rows) if "release" in row]
    theirs = sum(plain(rows[k]["release"]) == plain(rows[k]["phrases"]) for k in both)
    print(f"{name}: exact phrase sets {sum(ours)}/{len(rows)}")
    print(f"  from AudioCaps test: ours {sum(ours[k] for k in both)}, release {theirs}/{len(both)}")


def report_drawn(answers: dict[str, list[list[str]]], draw: str) -> None:
    """The captions whose phrases are none of the answers held for right, and their share."""
    wrong = [c for c, right in answers.items() if plain(parse_caption(c)) not in map(plain, right)]
    print(f"{draw} draw: wrong {len(wrong)}/{len(answers)} = {len(wrong) / len(answers):.3f}")
    for caption in wrong:
        print(f"  {caption}: {' | '.join(parse_caption(caption))}")


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description="How fast and how well captions are parsed.")
    parser.add_argument("--captions", type=Path, help="CSV file with a `caption` column")
    parser.add_argument("--release", type=Path, default=FIXTURES / "parser_release_sample.json")
    args = parser.parse_args()

    release = json.loads(args.release.read_text(encoding="utf-8"))
    captions = list(release)
    if args.captions:
        with args.captions.open(encoding="utf-8", newline="") as file:
            captions = [row["caption"] for row in csv.DictReader(file)]
    print(f"{speed(captions):.0f} captions/s over {len(captions)} captions")
    table = json.loads((FIXTURES / "captions_60.json").read_text(encoding="utf-8"))
    for name, rows in table.items():
        report_table(rows, name)
    drawn = json.loads((FIXTURES / "captions_drawn.json").read_text(encoding="utf-8"))
    for draw, answers in drawn.items():
        report_drawn(answers, draw)
    same = sum(plain(parse_caption(c)) == plain(phrases) for c, phrases in release.items())
    print(f"same phrase set as the release: {same}/{len(release)} = {same / len(release):.3f}")


if __name__ == "__main__":
    main()
