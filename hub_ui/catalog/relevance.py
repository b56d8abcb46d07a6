"""How relevance orders LoRAs of all hubs: where the words stand, how popular a LoRA is on its hub, how new it is.

All of it is whole numbers from fixed tables, so that the index, the scan and another database order alike, and no
LoRA's place depends on what else is in the catalog or on when it was added.

- A LoRA's place is where its words stand: the first of PLACES (see search.py) that holds them all.
- Its merit is popularity and freshness in one number. Popularity is its rank within its own hub, so that a hub with
  larger numbers wins nothing; freshness is its date, so that it needs no clock.
- Its level is its merit in a few steps. A class is a place and a level: CLASSES has them best first. Within a class
  the merit decides.
"""

from bisect import bisect_right
from collections.abc import Mapping

MERIT_BITS = 20
MOST_MERIT = (1 << MERIT_BITS) - 1

# Upper ends of equal shares of a hub's LoRAs: the n-th number is what n/len of them stay at or below.
# A hub without a table of its own has the general one.
_GENERAL: tuple[int, ...] = (0, *(1 << power for power in range(21)))
_DOWNLOADS: Mapping[str, tuple[int, ...]] = {}
# Where a hub gives no downloads.
_LIKES: Mapping[str, tuple[int, ...]] = {}
_GENERAL_LIKES: tuple[int, ...] = (0, *(1 << power for power in range(15)))

# Parts of a merit.
_POPULARITY = 3
_FRESHNESS = 1
# Freshness grows evenly from the first LoRAs for image models to a day that is far away.
_FIRST_DAY = 1_640_995_200  # 2022-01-01
_LAST_DAY = 2_177_452_800  # 2039-01-01

# The merits at which the next level begins.
_STEPS: tuple[int, ...] = (MOST_MERIT * 3 // 10, MOST_MERIT // 2, MOST_MERIT * 7 // 10)
LEVELS = len(_STEPS) + 1

# What a place is worth, by its number, and what a level is worth.
_PLACE_WEIGHTS: tuple[int, ...] = (100, 70, 60, 45, 35, 15, 5)
_LEVEL_WEIGHTS: tuple[int, ...] = (0, 10, 20, 30)
CLASSES: tuple[tuple[int, int], ...] = tuple(
    sorted(
        ((place, level) for place in range(len(_PLACE_WEIGHTS)) for level in range(LEVELS)),
        key=lambda each: (-_PLACE_WEIGHTS[each[0]] - _LEVEL_WEIGHTS[each[1]], each[0], -each[1]),
    )
)


def merit(hub: str, downloads: int | None, likes: int | None, newest: int | None) -> int:
    """From 0 to MOST_MERIT. `newest` is a time in seconds."""
    if downloads is not None:
        popularity = _share(downloads, _DOWNLOADS.get(hub, _GENERAL))
    else:
        popularity = _share(likes or 0, _LIKES.get(hub, _GENERAL_LIKES))
    age = min(max((newest or 0) - _FIRST_DAY, 0), _LAST_DAY - _FIRST_DAY)
    freshness = age * MOST_MERIT // (_LAST_DAY - _FIRST_DAY)
    return (_POPULARITY * popularity + _FRESHNESS * freshness) // (_POPULARITY + _FRESHNESS)


def level(merit: int) -> int:
    """From 0 to LEVELS - 1, never less for more merit."""
    return bisect_right(_STEPS, merit)


def _share(number: int, table: tuple[int, ...]) -> int:
    return bisect_right(table, number) * MOST_MERIT // len(table)
