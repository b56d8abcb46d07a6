"""What is looked for: each thing that a person typed in all its spellings, and in rings that ask for less and less.

The first ring has everything that was typed, as it is written or in another spelling of it. Where it finds few, a ring
with one typo a word follows, then rings with a word fewer each. What is in no LoRA at all is left out first. Of three
and more words the rings only collect: the score orders all that they find.

Every other spelling, in the plural, in British or American, joined or split, with one typo, is a guess. `Known` says in
how many LoRAs a word is, and a guess that is in none is left out.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from string import ascii_lowercase

from hub_ui.catalog.row import MOST_TERMS, Terms, is_unspaced
from hub_ui.catalog.row import words as words_of

Known = Callable[[str], int]
# How many LoRAs of those that may be listed a ring finds.
Count = Callable[["Ring"], int]
# Words that stand side by side.
Phrase = tuple[str, ...]
# With fewer LoRAs than these, the next ring is asked too.
FEW = 5
# From so many words on the score alone orders the list, across its rings, so that FEW are not enough to stop at.
SENTENCE = 3
_FEW_OF_A_SENTENCE = 40
# A ring that would find more asks for its rarer words alone.
MOST = 2_000
# How many words fewer the rings ask for, one after the other; at the end for a single word.
_FEWER = (0, 1, 2, 3, 5, 8, 13, 21)
# Of more words, only those that are in no LoRA may have a typo.
_MOST_WITH_TYPOS = 8
# A shorter word beside others is hardly wrong: "red" is not meant as "bed".
_SHORTEST_WRONG = 4
# The most that counts of how often a word's LoRAs can be doubled until all have it.
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
    """`units` are all that was typed.

    `is_few`: without any filter they find no more than MOST each. `corrected` is the text without typos, where a word
    is in no LoRA.
    """

    units: tuple[Unit, ...]
    rings: tuple[Ring, ...]
    is_few: bool
    corrected: str = ""

    @property
    def least(self) -> int:
        """Return how many units must be there."""
        return len(must_have(self.units))


def rings(terms: Terms, known: Known, begins: Known, total: int, count: Count, few: int = FEW) -> Rings:
    """`begins` says whether longer words begin with it, `total` how many LoRAs there are.

    Rings are added until there are `few` LoRAs: `count` says how many a ring finds.
    """
    units = _units(terms, known, begins, count, total)
    asked = must_have(units)
    found = count(Ring(units=asked, least=len(asked)))
    few = few if few == 1 or len(asked) < SENTENCE else _FEW_OF_A_SENTENCE
    if found < few and (apart := _apart(terms, units, known, count)):
        return rings(apart, known, begins, total, count, few)
    first = Ring(units=asked, least=len(asked))
    if found >= few:
        return Rings(units=units, rings=(first,), is_few=found <= MOST)
    units = tuple(_with_typos(units, known, count, total))
    steps = [first] if found else []
    for wider in _wider(must_have(units)):
        ring, number = wider, count(wider)
        if number > MOST:
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
        is_few=found <= MOST,
        corrected=_correction(units, count),
    )


def _apart(terms: Terms, units: Sequence[Unit], known: Known, count: Count) -> Terms | None:
    """With the words of "anime-girl" each by itself, where no LoRA has them side by side; None for no such words."""
    phrases: list[Phrase] = []
    for unit in units:
        words = [unit.typed] if unit.quoted else single_words(unit.typed)
        if len(words) > 1 and count(Ring(units=tuple(_with_typos([unit], known, count, 1)), least=1, has_typos=True)):
            words = [unit.typed]
        phrases += words
    return replace(terms, phrases=tuple(phrases[:MOST_TERMS])) if len(phrases) > len(units) else None


def single_words(words: Iterable[str]) -> list[Phrase]:
    """Each by itself, but Han and kana, which are characters, as they follow each other."""
    found: list[Phrase] = []
    for is_run, group in groupby(words, lambda word: is_unspaced((word,))):
        run = tuple(group)
        found += [run] if is_run else [(word,) for word in run]
    return found


def must_have(units: tuple[Unit, ...]) -> tuple[Unit, ...]:
    """Those that must be there."""
    return tuple(unit for unit in units if not unit.around) or units


def _units(terms: Terms, known: Known, begins: Known, count: Count, total: int) -> tuple[Unit, ...]:
    """Words that were typed side by side are looked for as one word too."""
    forms = [[words] if place < terms.quoted else spellings(words, known) for place, words in enumerate(terms.phrases)]
    for right in range(terms.quoted + 1, len(terms.phrases)):
        one = join_phrases(terms.phrases[right - 1], terms.phrases[right], known)
        forms[right - 1] += one
        forms[right] += one
    last = len(terms.phrases) - 1
    return tuple(
        Unit(
            typed=words,
            forms=tuple(dict.fromkeys(forms[place])),
            around=place >= terms.quoted and is_around(words),
            quoted=place < terms.quoted,
            open_end=terms.open_end and place == last and bool(begins(words[0])),
            rarity=_rarity(_having(words, count), total),
        )
        for place, words in enumerate(terms.phrases)
    )


def _having(form: Phrase, count: Count) -> int:
    return count(Ring(units=(Unit(typed=form, forms=(form,)),), least=1))


def _rarity(having: int, total: int) -> int:
    """Return the weight of a word, squared so that several frequent words don't outweigh a rare one.

    A word that is in no LoRA weighs nothing.
    """
    return min(_MOST_RARITY, max(1, total // having).bit_length()) ** 2 if having else 0


def _with_typos(units: Sequence[Unit], known: Known, count: Count, total: int) -> Iterator[Unit]:
    for unit in units:
        if unit.quoted or unit.around or (unit.is_anywhere and len(units) > _MOST_WITH_TYPOS):
            yield unit
            continue
        is_run = len(unit.typed) > 2 and is_unspaced(unit.typed)
        others = [each for each in pieces(unit.typed) if not is_around(each)] if is_run else typos(unit.typed, known)
        weights = (_rarity(_having(form, count), total) for form in (*unit.forms, *others))
        others = [each for each in others if each not in unit.forms]
        yield replace(unit, typos=tuple(others), rarity=unit.rarity or next(filter(None, weights), 0))


def _wider(wanted: tuple[Unit, ...]) -> list[Ring]:
    """Return the rings after the first one; where no word has a typo they begin with the same again."""
    there = tuple(unit for unit in wanted if unit.is_anywhere or unit.typos)
    fewest = max(1, sum(unit.quoted for unit in there))
    numbers = dict.fromkeys(max(fewest, len(there) - fewer) for fewer in (*_FEWER, len(there)))
    return [Ring(units=there, least=number, has_typos=True) for number in numbers] if there else []


def _correction(units: Sequence[Unit], count: Count) -> str:
    """Empty if every word is in a LoRA, or nothing that may be listed has a word like it."""
    forms: list[Phrase] = []
    for unit in units:
        is_right = unit.is_anywhere or unit.quoted or (len(units) > 1 and len("".join(unit.typed)) < _SHORTEST_WRONG)
        there = (each for each in unit.typos if _having(each, count))
        forms.append(unit.typed if is_right else next(there, unit.typed))
    if forms == [unit.typed for unit in units]:
        return ""
    texts = [
        ("" if is_unspaced(form) else " ").join(form)
        for form, unit in zip(forms, units, strict=True)
        if not unit.quoted
    ]
    return " ".join(texts)


# What people type around a name, and how words are written otherwise.
WORDS = tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))
_AROUND = frozenset((*WORDS["around"], *WORDS["asking"]))
_VERSION = re.compile(r"v\d{1,3}( \d{1,3})*|ver \d{1,3}( \d{1,3})*")
_SHORTEST_STEM = 3
# Two halves of a word are no less than this, but for numbers.
_SHORTEST_HALF = 2
# A word that so many LoRAs have is not looked for in parts.
_MANY = 2_000
_PARTS = re.compile(r"\d+|\D+")
# A shorter word that is there is right as it is.
_SHORTEST_WITH_TYPO = 5
_MOST_TYPOS = 8
_CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"


def is_around(words: Phrase) -> bool:
    """Whether people write it around a name, as "lora", "style" and "v2", or ask with it, as "something like"."""
    return "".join(words) in _AROUND or _VERSION.fullmatch(" ".join(words)) is not None


def name_in(text: str) -> str:
    """The text without what stands around a name; all of it if there is nothing else."""
    kept = [chunk.removesuffix(".safetensors") for chunk in text.split() if not is_around(tuple(words_of(chunk)))]
    return " ".join(kept) or text


def spellings(words: Phrase, known: Known) -> list[Phrase]:
    """The words as they are written, then in other ways that mean the same."""
    *first, last = words
    alike = [(*first, each) for each in dict.fromkeys([last, *_alike(last)])]
    one = ["".join(words)] if len(words) > 1 else []
    is_whole = not first and known(last) > _MANY
    halves = [] if first or is_whole else list(_splits(last, known))
    found = [*alike, *((each,) for each in one), *([] if is_whole else _without_numbers(words)), *halves]
    return [each for each in dict.fromkeys(found) if all(map(known, each))]


def join_phrases(left: Phrase, right: Phrase, known: Known) -> list[Phrase]:
    """Two things that were typed side by side, as one: "z image" as "zimage", "wan 2.2" as "wan2 2" and "wan22"."""
    found = dict.fromkeys([(*left[:-1], left[-1] + right[0], *right[1:]), ("".join((*left, *right)),)])
    return [each for each in found if all(map(known, each))]


def typos(words: Phrase, known: Known) -> list[Phrase]:
    """The words with one letter missing, added, changed or moved in one of them; the most frequent first."""
    found: dict[Phrase, int] = {}
    for place, word in enumerate(words):
        for each in _typos(word, known):
            found[(*words[:place], each, *words[place + 1 :])] = known(each)
    if len(words) == 1 and not found:
        found = dict.fromkeys(_halves_with_typo(words[0], known), 0)
    return sorted(found, key=lambda each: (-found[each], each))[:_MOST_TYPOS]


def pieces(characters: Phrase) -> list[Phrase]:
    """Of a run of Han or kana: more than half of it, the longest first."""
    size = len(characters)
    lengths = range(size - 1, max(2, (size + 1) // 2) - 1, -1)
    return [characters[at : at + length] for length in lengths for at in range(size - length + 1)]


def _alike(word: str) -> Iterator[str]:
    """Plurals and singulars of it and of its other spelling."""
    if not word.isalpha() or not word.isascii():
        return
    written = [word]
    for old, new, least in WORDS["written_alike"]:
        at = word.find(old, least)
        written += [word[:at] + new + word[at + len(old) :]] if at >= 0 else []
    for each in written:
        yield from (each, *_numbers(each))


def _numbers(word: str) -> Iterator[str]:
    """In the plural, and in the singular."""
    for one, many in WORDS["ends"]:
        if word.endswith(many) and not word.endswith("ss") and len(word) - len(many) + len(one) >= _SHORTEST_STEM:
            yield word[: len(word) - len(many)] + one
        if word.endswith(one) and len(word) >= _SHORTEST_STEM:
            yield word[: len(word) - len(one)] + many


def _without_numbers(words: Phrase) -> Iterator[Phrase]:
    """Letters and digits by themselves: "sd1 5" is "sd 1 5" too, and so is "sd15"."""
    parts = tuple(part for word in words for part in _PARTS.findall(word))
    if len(parts) > len(words):
        yield parts
        yield tuple(piece for part in parts for piece in (part if part.isdigit() else (part,)))


def _splits(word: str, known: Known) -> Iterator[Phrase]:
    """As two words."""
    for at in range(1, len(word)):
        left, right = word[:at], word[at:]
        if len(right) >= _SHORTEST_HALF and (at >= _SHORTEST_HALF or len(right) > 3) and known(left) and known(right):
            yield left, right


def _typos(word: str, known: Known) -> list[str]:
    if len(word) < (_SHORTEST_WITH_TYPO if known(word) else _SHORTEST_STEM) or word.isdigit():
        return []
    stems = [word, *(each for each in _numbers(word) if len(each) < len(word) and word.isascii())]
    changed = dict.fromkeys(each for stem in stems for each in _one_letter_off(stem))
    return [each for each in changed if each != word and len(each) > 1 and known(each)]


def _one_letter_off(word: str) -> Iterator[str]:
    letters = ascii_lowercase if word.isascii() else _CYRILLIC if word[0] in _CYRILLIC else ""
    for at in range(len(word) + 1):
        left, right = word[:at], word[at:]
        yield from (left + letter + right for letter in letters)
        if right:
            yield left + right[1:]
            yield from (left + letter + right[1:] for letter in letters)
        if len(right) > 1:
            yield left + right[1] + right[0] + right[2:]


def _halves_with_typo(word: str, known: Known) -> Iterator[Phrase]:
    """Two words written as one, with a typo in one of them."""
    for at in range(_SHORTEST_STEM, len(word) - _SHORTEST_STEM + 1):
        left, right = word[:at], word[at:]
        if known(left):
            yield from ((left, each) for each in _typos(right, known))
        if known(right):
            yield from ((each, right) for each in _typos(left, known))
