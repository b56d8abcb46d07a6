"""Find similar LoRAs.

Similarity counts the traits that two LoRAs share: words of the title and tags, within one architecture. Each trait
counts its weight times its rarity: how often the catalog can be halved until every LoRA left has the trait. The score
is the shared part of the first LoRA's traits; below `LEAST` a LoRA is not similar. Kind and base model only sort LoRAs
with equal scores.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import tantivy
from tantivy import Occur

from connectors.claims import base_models
from connectors.query import Range
from connectors.record import Record
from hub_ui.catalog.index import all_of, any_of, any_of_values, number_in, phrase, scored, term
from hub_ui.catalog.rings import WORDS, Phrase, is_filler, single_words
from hub_ui.catalog.row import UNDER, Row, searchable_names, words

Reason = Literal["same subject", "same words", "same creator, newer"]

LEAST = 0.22
# The least score of a newer LoRA by the same creator.
_LEAST_OF_CREATOR = 0.15
# The least rarity of a telling trait (one LoRA in 16 has it) and of a subject (one in 32).
_TELLING, _SUBJECT_RARITY = 4, 5
_MOST_TRAITS = 24
_MOST_TAGS = 24
_WEIGHTS = {"title": 4, "tag": 3}
_GENERAL = frozenset(WORDS["general"])


# How many hits are sorted.
_MOST_ALIKE = 500
# The parts of a score from the lowest bits up: kind and base, points, traits, subjects, newer by the same creator.
_POINT, _TRAIT, _SUBJECT, _NEWER = 1 << 2, 1 << 14, 1 << 18, 1 << 22


@dataclass(frozen=True, kw_only=True, slots=True)
class Similar:
    """A similar LoRA. `score` is the share of the first LoRA's traits that this one has, at most 1."""

    record: Record
    score: float
    reason: Reason


def find_similar(searcher: tantivy.Searcher, row: Row, *, limit: int, nsfw: int) -> list[tuple[int, float, Reason]]:
    """Return the card id, the score and the reason of each similar LoRA, most similar first.

    The score of a hit counts shared traits in whole numbers (see the constants).
    """
    shared, total_points = _shared_traits(searcher, row)
    if not shared:
        return []
    kinds, bases = row.names["kind"], [key for key in row.names["keys"] if key.startswith("=")]
    first = [scored(term("kind", name), 2) for name in kinds[:1]] + [
        scored(term("base", name), 1) for name in bases[:1]
    ]
    if row.newest and row.names["creators"]:
        by_creator = any_of_values("creator", row.names["creators"])
        first.append(scored(all_of([by_creator, number_in("newest", Range(least=row.newest))]), _NEWER))
    architectures = {group.partition(UNDER)[0] for group in row.groups}
    fits = [any_of_values("base", architectures)] if architectures else []
    query = tantivy.Query.boolean_query(
        [
            (Occur.Must, any_of(shared)),
            *((Occur.Must, scored(each, 0)) for each in (*fits, term("listed", nsfw))),
            *((Occur.Should, each) for each in first),
            *((Occur.MustNot, term(name, value)) for name, value in (("access", "removed"), ("kind", "runner"))),
            *((Occur.MustNot, term("ref", ref)) for ref in row.refs),
        ]
    )
    hits = searcher.search(query, _MOST_ALIKE, False).hits
    ids = searcher.fast_field_values("id", [address for _, address in hits])
    found: list[tuple[float, int, int, Reason]] = []
    for (score, _), number in zip(hits, ids, strict=True):
        share = round(min(1.0, score % _TRAIT // _POINT / total_points), 3)
        if (why := _reason(int(score), share)) is not None:
            # Kind and base only sort LoRAs with the same share.
            found.append((-share, -(int(score) % _POINT), int(number or 0), why))
    return [(number, -share, why) for share, _, number, why in sorted(found)[:limit]]


def _reason(score: int, share: float) -> Reason | None:
    """Return why a LoRA is similar, or None if it is not."""
    traits, subjects = score % _SUBJECT // _TRAIT, score % _NEWER // _SUBJECT
    if score >= _NEWER and traits and share >= _LEAST_OF_CREATOR:
        return "same creator, newer"
    if share < LEAST:
        return None
    if subjects:
        return "same subject"
    return "same words" if traits > 1 else None


def _shared_traits(searcher: tantivy.Searcher, row: Row) -> tuple[list[tantivy.Query], int]:
    """Return a scored query for each trait that another LoRA may share, and the points of all traits.

    Tags that no other LoRA has don't count.
    """
    total, total_points = searcher.num_docs, 0
    # In a small catalog, a word that two LoRAs have is the rarest possible. Subtract one, because the index counts
    # replaced rows as well.
    rarest = max(2, rarity(2, total) - 1)
    # In a large catalog a subject must be half as rare as a word can be: "old" is rare in a million titles but not a
    # subject.
    least = min(max(_SUBJECT_RARITY, total.bit_length() // 2), rarest)
    shared: list[tantivy.Query] = []
    for field, value in _traits(row):
        # Estimate the frequency of a phrase by its rarest word.
        number = min(searcher.doc_freq(field, word) for word in value)
        query = phrase(field, value)
        if field == "title" and len(value) == 1:
            # Other LoRAs may have the word as a tag.
            number = max(number, searcher.doc_freq("tag", value[0]))
            query = any_of([query, term("tag", value[0])])
        rare = rarity(number, total)
        points = _WEIGHTS[field] * rare
        total_points += points if field == "title" or number > 1 else 0
        if number > 1 and rare >= min(_TELLING, rarest):
            is_subject = field == "title" and rare >= least
            shared.append(scored(query, points * _POINT + _TRAIT + is_subject * _SUBJECT))
    return shared, total_points


def _traits(row: Row) -> list[tuple[str, tuple[str, ...]]]:
    """Return the telling words of a row's title and tags, each with its field. Adjacent Han or kana are one trait."""
    subjects = dict.fromkeys(_telling_words(row, single_words(row.title.split())))
    tags = [tag for tag in row.names["tags"][:_MOST_TAGS] if ":" not in tag and (tag,) not in subjects]
    others = [("tag", (tag,)) for tag in tags if _telling_words(row, [tuple(words(tag))])]
    return [*(("title", value) for value in subjects), *others][:_MOST_TRAITS]


def is_about(row: Row, title: str) -> bool:
    """Return False if only one of the three or more telling words of another title is shared.

    A title that shares no word has one as its tag.
    """
    other = set(_telling_words(row, single_words(searchable_names(title).split())))
    shared = other.intersection(value for _, value in _traits(row))
    return len(shared) != 1 or len(other) <= 2


def rarity(having: int, total: int) -> int:
    """Return the rarity of a trait, 0 if more than half of all LoRAs have it."""
    return max(0, (total // having).bit_length() - 1) if having else 0


def _telling_words(row: Row, values: Iterable[Phrase]) -> list[Phrase]:
    """Return the words that describe a LoRA, without filler, general words and numbers.

    The name of a base model is a general word, unless the row is for another base model.
    """
    general = _GENERAL | _base_words(row.names["keys"] or base_models.choices())
    named = (value for value in values if not is_filler(value) and not general.issuperset(value))
    return [value for value in named if len(plain := "".join(value)) > 1 and not plain.isdigit()]


@lru_cache(maxsize=200)
def _base_words(bases: tuple[str, ...]) -> frozenset[str]:
    """Return the words of base model names, also joined from the first one on: "wan", "wan2", "wan22"."""
    names = [words(name) for name in bases]
    joined = ("".join(name[:end]) for name in names for end in range(1, len(name) + 1))
    return frozenset((*joined, *(word for name in names for word in name)))
