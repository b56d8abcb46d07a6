"""Turn the words of a query into rings: increasingly loose searches.

The first ring needs everything that was typed, in any spelling. If it finds few LoRAs, a ring with one typo per word
follows, then rings that need a word less each. Words that are in no LoRA are dropped first. With three or more words,
rings only collect results, and the score sorts them all.

Every other spelling is a guess: plural, British or American, joined or split, with one typo. `Known` returns the number
of LoRAs that have a word, and a guess without any is dropped.
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
# Returns the number of LoRAs that a ring finds, among the LoRAs that may be listed.
Count = Callable[["Ring"], int]
# Adjacent words.
Phrase = tuple[str, ...]
# If a ring finds fewer LoRAs than this, the next ring is tried as well.
FEW = 5
# From this many words on, the score sorts results of all rings together, so a ring with FEW results does not stop the
# search.
SENTENCE = 3
_FEW_OF_A_SENTENCE = 40
# A ring that would find more than this is reduced to its rarer words.
MOST = 2_000
# How many words the successive rings leave out; the last ring needs a single word.
_FEWER = (0, 1, 2, 3, 5, 8, 13, 21)
# If there are more words, typos are allowed only in words that are in no LoRA.
_MOST_WITH_TYPOS = 8
# A shorter word next to others is not corrected: "red" does not mean "bed".
_SHORTEST_WRONG = 4
# The upper limit of a rarity: how often the LoRAs of a word can be doubled until all LoRAs have it.
_MOST_RARITY = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """A word, or several words typed as one. `forms` are its spellings, the typed one first, `typos` its corrections.

    An `is_filler` unit is optional. A `quoted` unit is required. With `open_end`, longer words that begin with it match
    as well.
    """

    typed: Phrase
    forms: tuple[Phrase, ...] = ()
    typos: tuple[Phrase, ...] = ()
    is_filler: bool = False
    quoted: bool = False
    open_end: bool = False
    rarity: int = 1

    @property
    def is_known(self) -> bool:
        return bool(self.forms) or self.open_end


@dataclass(frozen=True, kw_only=True, slots=True)
class Ring:
    """A search that needs at least `least` of the units."""

    units: tuple[Unit, ...]
    least: int
    has_typos: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Rings:
    """All units of a query, and the rings to search.

    `is_few`: without filters, each ring finds at most MOST LoRAs. `corrected` is the text without typos, if a word is
    in no LoRA.
    """

    units: tuple[Unit, ...]
    rings: tuple[Ring, ...]
    is_few: bool
    corrected: str = ""

    @property
    def least(self) -> int:
        """The number of required units."""
        return len(required_units(self.units))


def rings(terms: Terms, known: Known, begins: Known, total: int, count: Count, few: int = FEW) -> Rings:
    """Build the rings of a query, until one of them finds `few` LoRAs.

    `begins` returns whether longer words begin with a word, `total` is the number of LoRAs, and `count` returns the
    number of LoRAs that a ring finds.
    """
    units = _units(terms, known, begins, count, total)
    required = required_units(units)
    found = count(Ring(units=required, least=len(required)))
    few = few if few == 1 or len(required) < SENTENCE else _FEW_OF_A_SENTENCE
    if found < few and (apart := _split_joined_words(terms, units, known, count)):
        return rings(apart, known, begins, total, count, few)
    first = Ring(units=required, least=len(required))
    if found >= few:
        return Rings(units=units, rings=(first,), is_few=found <= MOST)
    units = tuple(_with_typos(units, known, count, total))
    steps = [first] if found else []
    for wider in _later_rings(required_units(units)):
        ring, number = wider, count(wider)
        if number > MOST:
            # Keep only as many units as the ring needs: the rarest ones.
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


def _split_joined_words(terms: Terms, units: Sequence[Unit], known: Known, count: Count) -> Terms | None:
    """Split words that are joined by a sign ("anime-girl") and adjacent in no LoRA. Return None without such words."""
    phrases: list[Phrase] = []
    for unit in units:
        words = [unit.typed] if unit.quoted else single_words(unit.typed)
        if len(words) > 1 and count(Ring(units=tuple(_with_typos([unit], known, count, 1)), least=1, has_typos=True)):
            words = [unit.typed]
        phrases += words
    return replace(terms, phrases=tuple(phrases[:MOST_TERMS])) if len(phrases) > len(units) else None


def single_words(words: Iterable[str]) -> list[Phrase]:
    """Split `words` into phrases of one word each. A run of Han or kana stays together."""
    found: list[Phrase] = []
    for is_run, group in groupby(words, lambda word: is_unspaced((word,))):
        run = tuple(group)
        found += [run] if is_run else [(word,) for word in run]
    return found


def required_units(units: tuple[Unit, ...]) -> tuple[Unit, ...]:
    """Return the required units, or all units if none is required."""
    return tuple(unit for unit in units if not unit.is_filler) or units


def _units(terms: Terms, known: Known, begins: Known, count: Count, total: int) -> tuple[Unit, ...]:
    """Build the units. Adjacent words are also searched as one word."""
    forms = [[words] if place < terms.quoted else spellings(words, known) for place, words in enumerate(terms.phrases)]
    for right in range(terms.quoted + 1, len(terms.phrases)):
        joined = join_phrases(terms.phrases[right - 1], terms.phrases[right], known)
        forms[right - 1] += joined
        forms[right] += joined
    last = len(terms.phrases) - 1
    return tuple(
        Unit(
            typed=words,
            forms=tuple(dict.fromkeys(forms[place])),
            is_filler=place >= terms.quoted and is_filler(words),
            quoted=place < terms.quoted,
            open_end=terms.open_end and place == last and bool(begins(words[0])),
            rarity=_rarity(_frequency(words, count), total),
        )
        for place, words in enumerate(terms.phrases)
    )


def _frequency(form: Phrase, count: Count) -> int:
    return count(Ring(units=(Unit(typed=form, forms=(form,)),), least=1))


def _rarity(frequency: int, total: int) -> int:
    """Return the weight of a word, squared so that several frequent words don't outweigh a rare one.

    A word that is in no LoRA weighs nothing.
    """
    return min(_MOST_RARITY, max(1, total // frequency).bit_length()) ** 2 if frequency else 0


def _with_typos(units: Sequence[Unit], known: Known, count: Count, total: int) -> Iterator[Unit]:
    for unit in units:
        if unit.quoted or unit.is_filler or (unit.is_known and len(units) > _MOST_WITH_TYPOS):
            yield unit
            continue
        is_run = len(unit.typed) > 2 and is_unspaced(unit.typed)
        guesses = [each for each in pieces(unit.typed) if not is_filler(each)] if is_run else typos(unit.typed, known)
        weights = (_rarity(_frequency(form, count), total) for form in (*unit.forms, *guesses))
        guesses = [each for each in guesses if each not in unit.forms]
        yield replace(unit, typos=tuple(guesses), rarity=unit.rarity or next(filter(None, weights), 0))


def _later_rings(required: tuple[Unit, ...]) -> list[Ring]:
    """Return the rings after the first one. The first of them repeats the first ring if no word has a typo."""
    searched = tuple(unit for unit in required if unit.is_known or unit.typos)
    fewest = max(1, sum(unit.quoted for unit in searched))
    numbers = dict.fromkeys(max(fewest, len(searched) - fewer) for fewer in (*_FEWER, len(searched)))
    return [Ring(units=searched, least=number, has_typos=True) for number in numbers] if searched else []


def _correction(units: Sequence[Unit], count: Count) -> str:
    """Return the corrected text. It is empty if every word is in a LoRA, or if no LoRA has a similar word."""
    forms: list[Phrase] = []
    for unit in units:
        is_right = unit.is_known or unit.quoted or (len(units) > 1 and len("".join(unit.typed)) < _SHORTEST_WRONG)
        corrections = (each for each in unit.typos if _frequency(each, count))
        forms.append(unit.typed if is_right else next(corrections, unit.typed))
    if forms == [unit.typed for unit in units]:
        return ""
    texts = [
        ("" if is_unspaced(form) else " ").join(form)
        for form, unit in zip(forms, units, strict=True)
        if not unit.quoted
    ]
    return " ".join(texts)


# Filler words and rules of spelling.
WORDS = tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))
_FILLER = frozenset((*WORDS["around"], *WORDS["asking"]))
_VERSION = re.compile(r"v\d{1,3}( \d{1,3})*|ver \d{1,3}( \d{1,3})*")
_SHORTEST_STEM = 3
# The shortest half of a split word, except for numbers.
_SHORTEST_HALF = 2
# A word that more LoRAs have than this is not split.
_MANY = 2_000
_PARTS = re.compile(r"\d+|\D+")
# A shorter word that is in a LoRA is not corrected.
_SHORTEST_WITH_TYPO = 5
_MOST_TYPOS = 8
_CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"


def is_filler(words: Phrase) -> bool:
    """Return whether the words are filler around a name ("lora", "style", "v2") or of a request ("something like")."""
    return "".join(words) in _FILLER or _VERSION.fullmatch(" ".join(words)) is not None


def name_in(text: str) -> str:
    """Return the text without the filler words around a name, or all of it if it has only filler words."""
    kept = [chunk.removesuffix(".safetensors") for chunk in text.split() if not is_filler(tuple(words_of(chunk)))]
    return " ".join(kept) or text


def spellings(words: Phrase, known: Known) -> list[Phrase]:
    """Return the words as typed, then other spellings of the same meaning."""
    *first, last = words
    alike = [(*first, each) for each in dict.fromkeys([last, *_variants(last)])]
    one = ["".join(words)] if len(words) > 1 else []
    is_whole = not first and known(last) > _MANY
    halves = [] if first or is_whole else list(_split_in_two(last, known))
    found = [*alike, *((each,) for each in one), *([] if is_whole else _split_digits(words)), *halves]
    return [each for each in dict.fromkeys(found) if all(map(known, each))]


def join_phrases(left: Phrase, right: Phrase, known: Known) -> list[Phrase]:
    """Join two adjacent phrases: "z image" becomes "zimage", "wan 2.2" becomes "wan2 2" and "wan22"."""
    joined_once = (*left[:-1], left[-1] + right[0], *right[1:])
    found = dict.fromkeys([joined_once, ("".join((*left, *right)),)])
    return [each for each in found if all(map(known, each))]


def typos(words: Phrase, known: Known) -> list[Phrase]:
    """Return the words with a letter removed, added, changed or swapped in a single word, the most frequent first."""
    found: dict[Phrase, int] = {}
    for place, word in enumerate(words):
        for each in _typos(word, known):
            found[(*words[:place], each, *words[place + 1 :])] = known(each)
    if len(words) == 1 and not found:
        found = dict.fromkeys(_halves_with_typo(words[0], known), 0)
    return sorted(found, key=lambda each: (-found[each], each))[:_MOST_TYPOS]


def pieces(characters: Phrase) -> list[Phrase]:
    """Return the parts of a run of Han or kana that are at least half of it, the longest first."""
    size = len(characters)
    lengths = range(size - 1, max(2, (size + 1) // 2) - 1, -1)
    return [characters[at : at + length] for length in lengths for at in range(size - length + 1)]


def _variants(word: str) -> Iterator[str]:
    if not word.isalpha() or not word.isascii():
        return
    written = [word]
    for old, new, least in WORDS["written_alike"]:
        at = word.find(old, least)
        written += [word[:at] + new + word[at + len(old) :]] if at >= 0 else []
    for each in written:
        yield from (each, *_plurals(each))


def _plurals(word: str) -> Iterator[str]:
    for one, many in WORDS["ends"]:
        if word.endswith(many) and not word.endswith("ss") and len(word) - len(many) + len(one) >= _SHORTEST_STEM:
            yield word[: len(word) - len(many)] + one
        if word.endswith(one) and len(word) >= _SHORTEST_STEM:
            yield word[: len(word) - len(one)] + many


def _split_digits(words: Phrase) -> Iterator[Phrase]:
    """Split letters from digits: "sd1 5" becomes "sd 1 5", and "sd15" becomes "sd 15" and "sd 1 5"."""
    parts = tuple(part for word in words for part in _PARTS.findall(word))
    if len(parts) > len(words):
        yield parts
        yield tuple(piece for part in parts for piece in (part if part.isdigit() else (part,)))


def _split_in_two(word: str, known: Known) -> Iterator[Phrase]:
    for at in range(1, len(word)):
        left, right = word[:at], word[at:]
        if len(right) >= _SHORTEST_HALF and (at >= _SHORTEST_HALF or len(right) > 3) and known(left) and known(right):
            yield left, right


def _typos(word: str, known: Known) -> list[str]:
    if len(word) < (_SHORTEST_WITH_TYPO if known(word) else _SHORTEST_STEM) or word.isdigit():
        return []
    stems = [word, *(each for each in _plurals(word) if len(each) < len(word) and word.isascii())]
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
    """Split a word into two words, either of which has a typo."""
    for at in range(_SHORTEST_STEM, len(word) - _SHORTEST_STEM + 1):
        left, right = word[:at], word[at:]
        if known(left):
            yield from ((left, each) for each in _typos(right, known))
        if known(right):
            yield from ((each, right) for each in _typos(left, known))
