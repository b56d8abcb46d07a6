"""What a newer version of a LoRA changes, in words: "rank 16 → 32", "new trigger word “inkline”"."""

from collections.abc import Iterator

from connectors.record import Record
from hub_ui import format
from hub_ui.i18n import _, ngettext
from hub_ui.widgets import fact_rows
from hub_ui.widgets.cards import base_label

MOST_WORDS = 3
LONGEST_WORD = 40


def describe_changes(older: Record, newer: Record) -> tuple[str, ...]:
    """The most important first. What only one of the two says is no change that anybody knows of."""
    return (*_describe_base(older, newer), *_describe_numbers(older, newer), *_describe_words(older, newer))


def _describe_base(older: Record, newer: Record) -> Iterator[str]:
    before, after = base_label(older), base_label(newer)
    if before and after and before != after:
        yield _("base {before} → {after}").format(before=before, after=after)


def _describe_numbers(older: Record, newer: Record) -> Iterator[str]:
    if older.rank and newer.rank and older.rank != newer.rank:
        yield _("rank {before} → {after}").format(before=older.rank, after=newer.rank)
    if older.algorithm and newer.algorithm and older.algorithm != newer.algorithm:
        before, after = fact_rows.algorithm(older.algorithm), fact_rows.algorithm(newer.algorithm)
        yield _("algorithm {before} → {after}").format(before=before, after=after)
    if older.weight_text and newer.weight_text and older.weight_text != newer.weight_text:
        yield _("weight {before} → {after}").format(before=older.weight_text, after=newer.weight_text)
    sizes = [record.file.size for record in (older, newer) if record.file and record.file.size]
    # Metadata changes a file by a little.
    if len(sizes) == 2 and abs(sizes[1] - sizes[0]) > sizes[0] / 10:
        before, after = (format.size(size) for size in sizes)
        if before != after:
            yield _("size {before} → {after}").format(before=before, after=after)


def _describe_words(older: Record, newer: Record) -> Iterator[str]:
    before = {word.casefold() for word in older.trigger_words}
    after = {word.casefold() for word in newer.trigger_words}
    if not after and before:
        yield _("no trigger word any more")
        return
    added = [word for word in newer.trigger_words if word.casefold() not in before]
    removed = [word for word in older.trigger_words if word.casefold() not in after]
    if added:
        yield ngettext("new trigger word {words}", "new trigger words {words}", len(added)).format(words=_list(added))
    if removed:
        text = ngettext("without the trigger word {words}", "without the trigger words {words}", len(removed))
        yield text.format(words=_list(removed))


def _list(words: list[str]) -> str:
    shown = ", ".join(f"“{format.visible(word)[:LONGEST_WORD]}”" for word in words[:MOST_WORDS])
    left = len(words) - MOST_WORDS
    return _("{words} and {count} more").format(words=shown, count=left) if left > 0 else shown
