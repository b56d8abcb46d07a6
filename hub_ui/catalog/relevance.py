"""How relevance orders LoRAs of all hubs: where the words stand, how popular a LoRA is on its hub, how new it is.

This page is the order, with its weights: whole numbers from fixed tables, so that no place depends on when a LoRA was
added, and another database orders alike. Before all of it come the rings (see rings.py): of one or two words nothing of
a wider ring stands before anything of a narrower one. Of three and more words the evidence orders all rings together.

1. **Evidence**, where a search finds so few that each can be looked at: every word counts by the best place that has it
   (`EVIDENCE`: the title, then trigger words, tags, creator, files and base models, then the description), times how
   rare it is among all LoRAs. A typo's guess counts as much less as it is sure, and adds nothing to an adult LoRA. A
   word around a name ("lora", "style", "something like") adds a part of one word where it is.
2. **Place**, where a search finds many: the first of the places that holds all the words. They are the whole title, the
   title, the short texts (title, trigger words, creator, ids, versions, files, base models, tags), the short texts
   where the last word may be a beginning ("tool" of "toolkit"), those and the description, and what a hub found it by.
   `PLACES` has what each is worth: a beginning is never after a description, nor a LoRA's own text after what a
   hub found it by.
3. **Popularity**: which share of its own hub's LoRAs has at most as many downloads (on Replicate: runs), from a fixed
   table of each hub, so that a hub with larger numbers wins nothing. Likes stand in where a hub gives no downloads. It
   counts twice: in four levels (`LEVEL_WEIGHTS`) beside the evidence or the place, and exactly among equals. Beside
   several words a level is worth less, as each of them is.
4. A **class** is a place and a level, worth the sum of both weights. `CLASSES` has them best first: of many, no LoRA of
   a class stands before one of a better class.
5. Among equals: popularity and **freshness**, three parts to one. Freshness is the date of the last update on a line
   from 2022 to 2039, so it needs no clock: a year is worth as much as 2 % of a hub's LoRAs.
6. What is still equal is in an order that means nothing, but is always the same.

`make accuracy` measures it on lists of queries with judged results (tests/tools/accuracy/relevance.py). The weights of
evidence, places and levels can be changed at any time. Merits are stored, so a change of the tables, the steps or the
parts of a score needs a migration (store.py) that computes rows anew.
"""

import tomllib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path

MERIT_BITS = 20
MOST_MERIT = (1 << MERIT_BITS) - 1
_LEVEL_BITS = 2
_SCORE_BITS = MERIT_BITS - _LEVEL_BITS
LEVELS = 1 << _LEVEL_BITS

# Numbers of a hub, rising, and the thousandths of its LoRAs that have at most as many. Between two numbers the share
# grows evenly; past the last it is the last one's.
_Table = Sequence[Sequence[int]]
_DOWNLOADS: Mapping[str, _Table] = tomllib.loads(Path(__file__).with_name("popularity.toml").read_text("utf-8"))
_GENERAL = _DOWNLOADS["another"]
# CivitAI's recorded answers have a sixth as many likes as downloads.
_LIKES: _Table = [(number // 6, share) for number, share in _GENERAL]
# For a LoRA that nothing is counted of.
_UNKNOWN = 400

# Parts of a score.
_POPULARITY = 3
_FRESHNESS = 1
_FIRST_DAY = 1_640_995_200  # 2022-01-01
_LAST_DAY = 2_177_452_800  # 2039-01-01

# The shares at which the next level begins.
_STEPS: tuple[int, ...] = (300, 750, 950)

# Where words may be to count: a field of the index (see index.py), whether the last one may be a beginning there, and
# what that is worth. Each takes in all that the ones before it do.
PLACES: tuple[tuple[str, bool, int], ...] = (
    ("whole", False, 130),
    ("title", False, 100),
    ("short", False, 75),
    ("short", True, 65),
    ("own", True, 35),
    ("any", True, 0),
)
# What a level is worth.
LEVEL_WEIGHTS: tuple[int, ...] = (0, 10, 20, 30)

# What a word is worth by the best place that has it, where there are so few LoRAs that each can be looked at.
EVIDENCE: Mapping[str, int] = {
    "title": 160,
    "other spelling": 152,
    "short": 112,
    "about": 32,
    "title begins": 52,
    "short begins": 42,
    "whole": 48,
}
# What the words around a name add together, as a part of one other.
AROUND_SHARE = 0.5
# What a typo leaves of the points of a word.
GUESS_SHARE = 0.7
POINT = 64


def place_worth(place: int) -> int:
    """What a place adds to the worth of a class. Of equal sums the better place comes first, then the better level."""
    return PLACES[place][2] * POINT + (len(PLACES) - place) * LEVELS


def level_worth(level: int) -> int:
    return LEVEL_WEIGHTS[level] * POINT + level


CLASSES: tuple[tuple[int, int], ...] = tuple(
    sorted(
        ((place, level) for place in range(len(PLACES)) for level in range(LEVELS)),
        key=lambda each: -place_worth(each[0]) - level_worth(each[1]),
    )
)


def merit(hub: str, downloads: int | None, likes: int | None, newest: int | None) -> int:
    """From 0 to MOST_MERIT: the level, and below it the score. `newest` is a time in seconds."""
    popularity = _UNKNOWN
    if downloads is not None:
        popularity = _share(downloads, _DOWNLOADS.get(hub, _GENERAL))
    elif likes is not None:
        popularity = _share(likes, _LIKES)
    age = min(max((newest or 0) - _FIRST_DAY, 0), _LAST_DAY - _FIRST_DAY)
    freshness = 1000 * age // (_LAST_DAY - _FIRST_DAY)
    score = ((_POPULARITY * popularity + _FRESHNESS * freshness) << _SCORE_BITS) // (1001 * (_POPULARITY + _FRESHNESS))
    return (bisect_right(_STEPS, popularity) << _SCORE_BITS) + score


def level(merit: int) -> int:
    """From 0 to LEVELS - 1, never less for more merit."""
    return merit >> _SCORE_BITS


def _share(number: int, table: _Table) -> int:
    place = bisect_right(table, number, key=lambda point: point[0])
    if place == 0 or place == len(table):
        return table[max(place - 1, 0)][1]
    (low, share), (high, next_share) = table[place - 1], table[place]
    return share + (next_share - share) * (number - low) // (high - low)
