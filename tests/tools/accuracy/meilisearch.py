"""A yardstick: the order of Meilisearch's ranking rules, as its documentation describes them with its default settings.

A query's words are looked for from the first one on, as many as a document has (its strategy `last`). Rules decide one
after the other: words (how many), typo (how many), proximity, attribute (which one, then how far in), sort (no query
asks for one), exactness. A word from 5 letters on may have one typo, one from 9 on two; a wrong first letter counts as
two. The last word may be a beginning. Up to three words may be written as one, and one as two, which is a typo.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise

from hub_ui.catalog.row import is_unspaced, searchable_names, terms

_FARTHEST = 4
# An attribute by its number, and a place in it.
Place = tuple[int, int]
# Words that were typed, one or several as one; or words that a document has side by side.
Unit = tuple[str, ...]


class Meilisearch:
    """Over the attributes of each document, the most important one first."""

    def __init__(self, documents: Mapping[str, Sequence[Iterable[str]]]) -> None:
        self._places: dict[str, dict[str, list[Place]]] = {}
        self._forms = cache(self._find_forms)
        for name, attributes in documents.items():
            for number, texts in enumerate(attributes):
                for at, word in enumerate((" " * _FARTHEST).join(map(searchable_names, texts)).split(" ")):
                    if word:
                        self._places.setdefault(word, {}).setdefault(name, []).append((number, at))

    def search(self, text: str) -> list[str]:
        """Names, best first."""
        best: dict[str, tuple[int, ...]] = {}
        for units in _readings(text):
            forms = [self._forms(unit, at == len(units) - 1) for at, unit in enumerate(units)]
            for name in {name for form in forms[0] for name in self._places[form[0]] if self._places_of(form, name)}:
                rank = self._rank(name, units, forms)
                best[name] = min(rank, best.get(name, rank))
        return sorted(best, key=lambda name: (best[name], name))

    def _rank(self, name: str, units: Sequence[Unit], forms: Sequence[Mapping[Unit, int]]) -> tuple[int, ...]:
        """A number for each rule, less being better. The document has the first unit."""
        typos, inexact, found = 0, 0, []
        for unit, numbers in zip(units, forms, strict=True):
            there = {form: places for form in numbers if (places := self._places_of(form, name))}
            if not there:
                break
            least = min(numbers[form] for form in there)
            typos += least
            inexact += unit not in there
            found.append([place for form, places in there.items() if numbers[form] == least for place in places])
        proximity = sum(min(_distance(one, other) for one in a for other in b) for a, b in pairwise(found))
        attribute, position = (sum(each) for each in zip(*map(min, found), strict=True))
        return -sum(map(len, units[: len(found)])), typos, proximity, attribute, position, inexact

    def _places_of(self, form: Unit, name: str) -> list[Place]:
        first, *others = (self._places[word].get(name, ()) for word in form)
        return [(a, at) for a, at in first if all((a, at + n) in each for n, each in enumerate(others, start=1))]

    def _find_forms(self, unit: Unit, is_last: bool) -> dict[Unit, int]:
        """What stands for it, and with how many typos."""
        if is_unspaced(unit):
            return {unit: 0} if all(each in self._places for each in unit) else {}
        word, is_joined = "".join(unit), len(unit) > 1
        most = max(0, (len(word) >= 5) + (len(word) >= 9) - is_joined)
        numbers = {other: typos(word, other, most, begins=is_last) for other in self._places}
        found: dict[Unit, int] = {(other,): n + is_joined for other, n in numbers.items() if n <= most}
        splits = ((word[:at], word[at:]) for at in range(1, len(word) if most and not is_joined else 0))
        halves = [each for each in splits if self._places.keys() >= {*each}]
        for each in sorted(halves, key=lambda each: min(len(self._places[half]) for half in each))[-1:]:
            found[each] = 1
        return found


def typos(typed: str, there: str, most: int, *, begins: bool = False) -> int:
    """Letters missing, added, changed or swapped. `most` and one stands for any more."""
    is_first_wrong = typed[0] != there[0]
    if (most < 2 and is_first_wrong) or (not begins and abs(len(typed) - len(there)) > most):
        return most + 1
    return _edits(typed, there, most, begins) + is_first_wrong


def _edits(typed: str, there: str, most: int, begins: bool) -> int:
    while typed and there and typed[0] == there[0]:
        typed, there = typed[1:], there[1:]
    if not typed and (begins or not there):
        return 0
    if not most:
        return 1
    rests = [(typed[1:], there[1:]), (typed[1:], there), (typed, there[1:])]
    rests += [(typed[2:], there[2:])] if typed[1:2] + typed[:1] == there[:2] else []
    return 1 + min(_edits(*rest, most - 1, begins) for rest in rests)


def _readings(text: str) -> Iterator[list[Unit]]:
    """The words as they were typed, and with some of them as one. A run of Han or kana is one word."""
    phrases = found.phrases if (found := terms(text)) else ()
    typed = [unit for each in phrases for unit in ([each] if is_unspaced(each) else [(word,) for word in each])]
    yield from [typed] if typed else ()
    for size in (2, 3):
        for at in range(len(typed) - size + 1):
            yield [*typed[:at], tuple(word for unit in typed[at : at + size] for word in unit), *typed[at + size :]]


def _distance(one: Place, other: Place) -> int:
    steps = other[1] - one[1]
    return min(steps if steps >= 0 else 1 - steps, _FARTHEST) if one[0] == other[0] else _FARTHEST
