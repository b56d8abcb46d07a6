"""What names mean: a table that a name of a model, words of a title and the name of a checkpoint are read by."""

import csv
from pathlib import Path


def base_names(read_as: str) -> list[tuple[str, str | None]]:
    """The texts that are read as a "name", as "words" or as a "checkpoint", each with the id of its base model."""
    with Path(__file__).with_name("base_names.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [(row["text"], row["base"] or None) for row in rows if row["read_as"] == read_as]
