"""The order by relevance of LoRAs from all hubs: which text matches, how popular and how new a LoRA is.

All weights are whole numbers from fixed tables, so the order does not depend on when a LoRA was added, nor on the
database. Rings (see rings.py) are sorted first: with one or two words, results of a narrower ring come before results
of a wider ring. With three or more words, the evidence sorts all rings together.

1. **Evidence**, for searches with so few results that each can be examined. Every word counts by the best place that
   contains it (`EVIDENCE`: the title, then trigger words, tags, creator, files and base models, then the description),
   times its rarity among all LoRAs. A corrected typo counts `GUESS_SHARE` of that, and adds nothing to an adult LoRA.
   A filler word ("lora", "style", "something like") adds a fraction of one word if the LoRA has it.
2. **Place**, for searches with many results: the first of the places that contains all words. They are the whole title,
   the title, the short texts (title, trigger words, creator, ids, versions, files, base models, tags), the short texts
   with the last word as a beginning ("tool" of "toolkit"), all these and the description, and the text of a hub search
   that found it. `PLACES` has the worth of each. A match of a beginning never comes after a match in the description,
   and a match in a LoRA's own texts never comes after a match in the text of a hub search.
3. **Popularity**: the share of the hub's LoRAs with at most as many downloads (on Replicate: runs). It comes from a
   fixed table of each hub, so a hub with larger numbers has no advantage. Likes replace downloads that a hub does not
   give. Popularity counts twice: as a level from 0 to 3 (`LEVEL_WEIGHTS`) added to the evidence or the place, and
   exactly among equals. With several words a level is worth less, because each word is.
4. A **class** is a place and a level, worth the sum of both weights. `CLASSES` is sorted best first: if there are many
   results, every LoRA of a class comes before the LoRAs of worse classes.
5. Among equals: popularity and **freshness**, three parts to one. Freshness is the date of the last update on a scale
   from 2022 to 2039, so it needs no clock: a year is worth as much as 2 % of a hub's LoRAs.
6. Remaining ties are sorted in an arbitrary order that is always the same.

`make accuracy` measures the order on lists of queries with judged results (tests/tools/accuracy/relevance.py). The
weights of evidence, places and levels can be changed at any time. Merits are stored, so a change of the tables, the
steps or the parts of a score needs a migration (store.py) that recomputes all rows.
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

# Pairs of a count and the thousandths of a hub's LoRAs with at most that count, both rising. Shares between two counts
# are interpolated, and counts past the last one have its share.
_Table = Sequence[Sequence[int]]
_DOWNLOADS: Mapping[str, _Table] = tomllib.loads(Path(__file__).with_name("popularity.toml").read_text("utf-8"))
_GENERAL = _DOWNLOADS["another"]
# CivitAI's recorded responses have a sixth as many likes as downloads.
_LIKES: _Table = [(number // 6, share) for number, share in _GENERAL]
# The popularity of a LoRA without downloads and likes.
_UNKNOWN = 400

# The weights of the two parts of a score.
_POPULARITY = 3
_FRESHNESS = 1
_FIRST_DAY = 1_640_995_200  # 2022-01-01
_LAST_DAY = 2_177_452_800  # 2039-01-01

# The shares at which the next level begins.
_STEPS: tuple[int, ...] = (300, 750, 950)

# The places: a field of the index (see index.py), whether the last word may be a beginning, and the worth. Each place
# includes all earlier ones.
PLACES: tuple[tuple[str, bool, int], ...] = (
    ("whole", False, 130),
    ("title", False, 100),
    ("short", False, 75),
    ("short", True, 65),
    ("own", True, 35),
    ("any", True, 0),
)
# The worth of each level.
LEVEL_WEIGHTS: tuple[int, ...] = (0, 10, 20, 30)

# The worth of a word by the best place that contains it, for searches with so few results that each can be examined.
EVIDENCE: Mapping[str, int] = {
    "title": 160,
    "other spelling": 152,
    "short": 112,
    "about": 32,
    "title begins": 52,
    "short begins": 42,
    "whole": 48,
}
# The worth of all filler words together, as a fraction of one other word.
FILLER_SHARE = 0.5
# The worth of a corrected typo, as a fraction of an exact word.
GUESS_SHARE = 0.7
POINT = 64


def place_worth(place: int) -> int:
    """Return the worth of a place in a class. Equal sums are sorted by the better place, then by the better level."""
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
    """Return the merit from 0 to MOST_MERIT: the level in the upper bits, the score in the lower ones.

    `newest` is a time in seconds.
    """
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
    """Return the level of a merit, from 0 to LEVELS - 1. It rises with the merit."""
    return merit >> _SCORE_BITS


def _share(number: int, table: _Table) -> int:
    place = bisect_right(table, number, key=lambda point: point[0])
    if place == 0 or place == len(table):
        return table[max(place - 1, 0)][1]
    (low, share), (high, next_share) = table[place - 1], table[place]
    return share + (next_share - share) * (number - low) // (high - low)
