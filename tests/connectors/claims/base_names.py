"""What names mean: a table that a name of a model, words of a title and the name of a checkpoint are read by."""

from pathlib import Path

from tests.corpus import rows_of


def base_names(read_as: str) -> list[tuple[str, str | None]]:
    """The texts that are read as a "name", as "words" or as a "checkpoint", each with the id of its base model."""
    rows = rows_of(Path(__file__).with_name("base_names.tsv"))
    return [(row["text"], row["base"] or None) for row in rows if row["read_as"] == read_as]
