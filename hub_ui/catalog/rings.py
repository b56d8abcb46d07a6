"""What is looked for: each thing that a person typed in all its spellings, and in rings that ask for less and less.

The first ring has everything that was typed, as it is written or in another spelling of it. Where it finds few, a ring
with one typo a word follows, then rings with a word fewer each. What is in no LoRA at all is left out first.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from hub_ui.catalog import spellings
from hub_ui.catalog.row import Terms, is_unspaced
from hub_ui.catalog.spellings import Known, Phrase

# With fewer LoRAs than these, the next ring is asked too.
FEW = 5
# A ring that would find more asks for its rarer words alone.
MOST = 2_000
# How many words fewer the rings ask for, one after the other; at the end for a single word.
_FEWER = (0, 1, 2, 3, 5, 8, 13, 21)
# Of more words, only those that are in no LoRA may have a typo.
_MOST_WITH_TYPOS = 8
# A shorter word beside others is hardly wrong: "red" is not meant as "bed".
_SHORTEST_WRONG = 4
# How many times a word's LoRAs can be doubled until all have it: the most that counts.
_MOST_RARITY = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """A word, or words that were typed as one, in its spellings, the typed one first; `typos` are those with a typo.

    One that is `around` a name need not be there, one that is `quoted` must be. With `open_end` words that begin with
    it count too.
    """

    typed: Phrase
    forms: tuple[Phrase, ...] = ()
    typos: tuple[Phrase, ...] = ()
    around: bool = False
    quoted: bool = False
    open_end: bool = False
    rarity: int = 1

    @property
    def is_anywhere(self) -> bool:
        return bool(self.forms) or self.open_end


@dataclass(frozen=True, kw_only=True, slots=True)
class Ring:
    """At least `least` of the units must be there."""

    units: tuple[Unit, ...]
    least: int
    has_typos: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Rings:
    """`units` are all that was typed, and `asked` is how many of them must be there for nothing to be missing.

    `is_few`: without any filter they find no more than MOST each. `corrected` is the text without typos, where a word
    is in no LoRA.
    """

    units: tuple[Unit, ...]
    rings: tuple[Ring, ...]
    asked: int
    is_few: bool
    corrected: str = ""


def rings(terms: Terms, known: Known, begins: Known, total: int, count: Callable[[Ring], int], few: int = FEW) -> Rings:
    """`begins` says whether longer words begin with it, `total` how many LoRAs there are.

    Rings are added until there are `few` LoRAs: `count` says how many a ring finds.
    """
    units = _units(terms, known, begins)
    asked = must_have(units)
    found = count(Ring(units=asked, least=len(asked)))
    if found <= MOST and len(units) > 1:
        units = tuple(replace(unit, rarity=_rarity(count(Ring(units=(unit,), least=1)), total)) for unit in units)
        asked = must_have(units)
    first = Ring(units=asked, least=len(asked))
    if found >= few:
        return Rings(units=units, rings=(first,), asked=len(asked), is_few=found <= MOST)
    units = tuple(_with_typos(units, known))
    steps = [first] if found else []
    for wider in _wider(must_have(units)):
        ring, number = wider, count(wider)
        if number > MOST and ring.least < len(ring.units):
            # As many of its units as it asks for: those that fewer LoRAs have.
            ordered = sorted(ring.units, key=lambda unit: (not unit.quoted, -unit.rarity))
            ring = replace(ring, units=tuple(ordered[: ring.least]))
            number = count(ring)
        if number > MOST and found:
            break
        if number > found:
            steps.append(ring)
            found = number
        if found >= few:
            break
    return Rings(
        units=units,
        rings=tuple(steps) or (first,),
        asked=len(asked),
        is_few=found <= MOST,
        corrected=_correction(units, count),
    )


def must_have(units: tuple[Unit, ...]) -> tuple[Unit, ...]:
    """Those that must be there."""
    return tuple(unit for unit in units if not unit.around) or units


def _units(terms: Terms, known: Known, begins: Known) -> tuple[Unit, ...]:
    """Words that were typed side by side are looked for as one word too."""
    forms = [
        [words] if place < terms.quoted else spellings.spellings(words, known)
        for place, words in enumerate(terms.phrases)
    ]
    for right in range(terms.quoted + 1, len(terms.phrases)):
        one = spellings.as_one(terms.phrases[right - 1], terms.phrases[right], known)
        forms[right - 1] += one
        forms[right] += one
    last = len(terms.phrases) - 1
    return tuple(
        Unit(
            typed=words,
            forms=tuple(dict.fromkeys(forms[place])),
            around=place >= terms.quoted and spellings.is_around(words),
            quoted=place < terms.quoted,
            open_end=terms.open_end and place == last and bool(begins(words[0])),
        )
        for place, words in enumerate(terms.phrases)
    )


def _rarity(having: int, total: int) -> int:
    return min(_MOST_RARITY, 1 + (total // max(1, having)).bit_length())


def _with_typos(units: Sequence[Unit], known: Known) -> Iterator[Unit]:
    for unit in units:
        is_right = unit.is_anywhere and len(units) > _MOST_WITH_TYPOS
        if unit.quoted or unit.around or is_right:
            yield unit
            continue
        is_run = len(unit.typed) > 2 and is_unspaced(unit.typed)
        others = spellings.pieces(unit.typed) if is_run else spellings.typos(unit.typed, known)
        yield replace(unit, typos=tuple(each for each in others if each not in unit.forms))


def _wider(wanted: tuple[Unit, ...]) -> Iterator[Ring]:
    """The rings after the first."""
    there = tuple(unit for unit in wanted if unit.is_anywhere or unit.typos)
    if any(unit.typos for unit in wanted) and len(there) == len(wanted):
        yield Ring(units=there, least=len(there), has_typos=True)
    fewest = max(1, sum(unit.quoted for unit in there))
    numbers = [len(there) - fewer for fewer in _FEWER if len(there) - fewer > fewest]
    for number in (*numbers, fewest) if there else ():
        if number < len(wanted):
            yield Ring(units=there, least=number, has_typos=True)


def _correction(units: Sequence[Unit], count: Callable[[Ring], int]) -> str:
    """Empty if every word is in a LoRA, or nothing that may be listed has a word like it."""
    words: list[str] = []
    has_changed = False
    for unit in units:
        is_right = unit.is_anywhere or unit.quoted or (len(units) > 1 and len("".join(unit.typed)) < _SHORTEST_WRONG)
        others = () if is_right else unit.typos
        form = next((each for each in others if count(Ring(units=(Unit(typed=each, forms=(each,)),), least=1))), None)
        has_changed = has_changed or form is not None
        words += () if unit.quoted else form or unit.typed
    return " ".join(words) if has_changed else ""
