"""What makes a LoRA like another one.

Likeness is what two LoRAs share: words of the title and tags, within one architecture. Each is worth its weight times
how rare it is: how often the catalog can be halved until all that is left has it. The score is how much of what is
known of the first one is shared; below `LEAST` nothing is similar. The kind and the base model say which of two comes
first, and make nothing similar by themselves.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Literal

from connectors.claims import base_models
from connectors.record import Record
from hub_ui.catalog.rings import WORDS, is_around
from hub_ui.catalog.row import UNDER, Row, searchable_names, words

Reason = Literal["same subject", "same words", "same creator, newer"]

LEAST = 0.22
# Of a newer one by the same creator.
_LEAST_OF_CREATOR = 0.15
# What one in 16 has says little, and what one in 32 has is no subject.
_TELLING, _SUBJECT = 4, 5
_MOST_TRAITS = 24
_MOST_TAGS = 24
_WEIGHTS = {"title": 4, "tag": 3}
_GENERAL = frozenset(WORDS["general"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Trait:
    """Words side by side in a title, or a tag that another LoRA may have. A title's single word is a tag too."""

    field: Literal["title", "tag"]
    value: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """What a LoRA is compared by. `architectures` are base filters, of which one must fit."""

    refs: tuple[str, ...]
    architectures: tuple[str, ...]
    traits: tuple[Trait, ...]
    kind: str | None
    bases: tuple[str, ...]
    creators: tuple[str, ...]
    newest: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Similar:
    """`score` is the share of what the first one is known by that this one has too, at most 1."""

    record: Record
    score: float
    reason: Reason


def model(row: Row) -> Model:
    subjects = dict.fromkeys(_subjects(row.title.split()))
    tags = (tag for tag in row.names["tags"][:_MOST_TAGS] if ":" not in tag)
    other = (tag for tag in tags if (tag,) not in subjects and _is_telling(tuple(words(tag))))
    return Model(
        refs=row.refs,
        architectures=tuple(dict.fromkeys(group.partition(UNDER)[0] for group in row.groups)),
        traits=(
            *(Trait(field="title", value=value) for value in subjects),
            *(Trait(field="tag", value=(tag,)) for tag in other),
        )[:_MOST_TRAITS],
        kind=next(iter(row.names["kind"]), None),
        bases=tuple(key for key in row.names["keys"] if key.startswith("=")),
        creators=row.names["creators"],
        newest=row.newest,
    )


def worth(model: Model, having: Callable[[Trait], int], total: int) -> tuple[list[tuple[Trait, int, bool]], int]:
    """Traits that others have, with their points, and whether each is a subject; then the points of them all.

    `having` is how many LoRAs have a trait. A tag that nobody else has is not expected of another one.
    """
    counted = [(trait, number, rarity(number, total)) for trait in model.traits if (number := having(trait))]
    # In few LoRAs nothing is rarer than what two have, and the index counts what they were before as well.
    rarest = max(2, rarity(2, total) - 1)
    # Half as rare as a word can be: "old" is rare in a million titles, and no subject.
    least = min(max(_SUBJECT, total.bit_length() // 2), rarest)
    traits = [
        (trait, _WEIGHTS[trait.field] * rare, trait.field == "title" and rare >= least)
        for trait, number, rare in counted
        if number > 1 and rare >= min(_TELLING, rarest)
    ]
    expected = (each for each in counted if each[0].field == "title" or each[1] > 1)
    return traits, sum(_WEIGHTS[trait.field] * rare for trait, _, rare in expected)


def reason(score: float, *, subjects: int, traits: int, is_newer: bool) -> Reason | None:
    """Why a LoRA that shares so many is similar; None where it is not."""
    if is_newer and traits and score >= _LEAST_OF_CREATOR:
        return "same creator, newer"
    if score < LEAST:
        return None
    if subjects:
        return "same subject"
    return "same words" if traits > 1 else None


def is_about(model: Model, title: str) -> bool:
    """Whether one word that both titles have is what the other one is about, and not one of many: "evil eye" is no eye.

    A title without any of the words has one as its tag.
    """
    other = set(_subjects(searchable_names(title).split()))
    shared = other.intersection(trait.value for trait in model.traits)
    return len(shared) != 1 or len(other) <= 2


def rarity(having: int, total: int) -> int:
    """0 for what more than half of them have."""
    return max(0, (total // having).bit_length() - 1) if having else 0


def _subjects(title: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Its words. Those in Han and kana are characters, of which one alone says little."""
    for is_character, run in groupby(title, lambda word: len(word) == 1 and word > "\u3040"):
        run_of_words = tuple(run)
        found = [run_of_words] if is_character else [(word,) for word in run_of_words]
        yield from filter(_is_telling, found)


def _is_telling(value: tuple[str, ...]) -> bool:
    plain = "".join(value)
    is_name = len(plain) > 1 and not plain.isdigit() and not is_around(value)
    return is_name and not all(word in _GENERAL or word in _base_words() for word in value)


@cache
def _base_words() -> frozenset[str]:
    """Also joined from the first one on: "wan", "wan2", "wan22"."""
    names = [words(name) for name in base_models.choices()]
    joined = ("".join(name[:end]) for name in names for end in range(1, len(name) + 1))
    return frozenset((*joined, *(word for name in names for word in name)))
