"""The rule by which the queries of `search_queries.tsv` are judged, and the ids that it gives.

A query's `meaning` has parts with " & " between them; each is a regular expression for a whole word or name, read
without case and accents, "_" being a space. A LoRA has as many points for a part as the best place that has it:
3 its title, 2 its trigger words, tags, creator, versions, files and base models, 1 its description. "by:" is looked for
in the creator, and "base:" in the base models and the title; both have 3 points. Its grade is that of its poorest part,
and 0 where one is missing. A wish follows " ~ ": each that is missing takes a point, down to 1. What people type around
a name ("lora", "style", a word too many) is no part of the meaning.

`python -m tests.tools.accuracy.judging` writes the grades into the file anew, after queries or recordings changed.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.record import Lora, Version, WeightFile
from hub_ui.catalog.row import bases_of
from tests.corpus import rows_of
from tests.tools.accuracy.relevance_corpus import loras

QUERIES = Path(__file__).with_name("search_queries.tsv")
COLUMNS = ("half", "kind", "query", "meaning", "3", "2", "1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """What a LoRA says, by the points that it is worth, and its names alone."""

    by_points: Mapping[int, str]
    creator: str
    bases: str


def texts(lora: Lora) -> Texts:
    bases = {name for base, _, _ in bases_of(lora) for name in base.labels()}
    files = [file.name for version in lora.versions for file in version.files]
    sources: list[Lora | Version | WeightFile] = [lora, *lora.versions]
    sources += [file for version in lora.versions for file in version.files]
    triggers = [str(claim.value) for source in sources for claim in source.claims if claim.field == "trigger_words"]
    names = (*triggers, *lora.tags, lora.creator or "", *(version.name for version in lora.versions), *files, *bases)
    return Texts(
        by_points={3: folded(lora.title), 2: folded(" \n".join(names)), 1: folded(lora.description)},
        creator=folded(lora.creator or ""),
        bases=folded(" \n".join(bases)),
    )


def folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    plain = re.sub(r"[\u0300-\u036f]", "", decomposed)
    return unicodedata.normalize("NFC", plain).replace("_", " ")


def grade(meaning: str, of: Texts) -> int:
    needed, *wishes = meaning.split(" ~ ")
    poorest = min(points(part, of) for part in needed.split(" & "))
    missing = sum(points(wish, of) == 0 for wish in wishes)
    return max(1, poorest - missing) if poorest else 0


def points(part: str, of: Texts) -> int:
    if part.startswith("by:"):
        return 3 if holds(part[3:], of.creator) else 0
    if part.startswith("base:"):
        return 3 if holds(part[5:], f"{of.bases}\n{of.by_points[3]}", is_start=True) else 0
    return next((number for number, text in of.by_points.items() if holds(part, text)), 0)


def holds(pattern: str, text: str, *, is_start: bool = False) -> bool:
    end = "" if is_start else "(?![a-z0-9])"
    return re.search(f"(?<![a-z0-9])(?:{pattern}){end}", text) is not None


def read() -> list[dict[str, str]]:
    return rows_of(QUERIES)


def judged(rows: Iterable[Mapping[str, str]], given: Sequence[Lora]) -> list[dict[str, str]]:
    """The rows with the refs of each grade."""
    known = {str(lora.ref): texts(lora) for lora in given}
    found = []
    for row in rows:
        grades = {ref: grade(row["meaning"], of) for ref, of in known.items()}
        refs = {name: " ".join(ref for ref in sorted(grades) if grades[ref] == int(name)) for name in "321"}
        found.append({**row, **refs})
    return found


def main() -> None:
    rows = judged(read(), loras())
    lines = ["\t".join(COLUMNS), *("\t".join(row[name] for name in COLUMNS) for row in rows)]
    QUERIES.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
