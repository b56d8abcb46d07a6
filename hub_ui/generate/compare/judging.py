"""Blind choices between the columns of a comparison, and the ranking that follows from them.

A ranking is the Bradley-Terry model: the chance that one column is chosen over another is the logistic function of the
difference of their strengths. Strengths are the most likely ones under a normal prior, so that a few choices make no
certainty; what the choices leave open is the normal distribution around them (Laplace's approximation).
"""

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from connectors.errors import UsageError
from hub_ui.base.i18n import _

# 0: neither is better.
Choice = Literal[0, 1, 2]
MOST_VOTES, LONGEST_VOTES = 1000, 12_000
_VOTE = re.compile(r"(\d{1,3})-(\d{1,3})-(\d{1,3})-([012])", re.ASCII)
# Of strengths before any choice: one column in six wins more than 82 % against the average one.
_PRIOR_DEVIATION = 1.5
_STEPS, _SAMPLES = 30, 2000
_INTERVAL = (5, 95)
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two columns of one row, as they are shown."""

    row: int
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class Vote:
    """What was chosen of a pair: 1 is the left one, 2 the right one."""

    pair: Pair
    choice: Choice


@dataclass(frozen=True, kw_only=True, slots=True)
class Rank:
    """The chance that a column is chosen over another one of its comparison: the mean, and where it is in 9 of 10 cases
    that explain the choices. `best` is the chance that it is the strongest.
    """

    column: int
    wins: float
    low: float
    high: float
    best: float


def ranking(votes: Sequence[Vote], columns: int) -> tuple[Rank, ...]:
    """All columns, the best first."""
    strengths, covariance = _strengths(votes, columns)
    # The same choices always make the same ranking.
    samples = np.random.default_rng(0).multivariate_normal(strengths, covariance, _SAMPLES, method="cholesky")
    # Of each column against the others, in each sample.
    against = [_logistic(samples[:, [column]] - samples).sum(axis=1) - 0.5 for column in range(columns)]
    chances = np.stack(against, axis=1) / (columns - 1)
    low, high = np.percentile(chances, _INTERVAL, axis=0)
    best = np.bincount(samples.argmax(axis=1), minlength=columns) / _SAMPLES
    ranks = [
        Rank(
            column=column,
            wins=float(chances[:, column].mean()),
            low=float(low[column]),
            high=float(high[column]),
            best=float(best[column]),
        )
        for column in range(columns)
    ]
    return tuple(sorted(ranks, key=lambda rank: (-rank.wins, rank.column)))


def next_pair(votes: Sequence[Vote], columns: int, rows: int, lot: str) -> Pair:
    """The pair whose choice says most of which column is best, in the row in which the two met least.

    It follows from the choices before; which of the two is on the left, from the `lot` too: a text for each sheet.
    """
    strengths, covariance = _strengths(votes, columns)
    shuffled = random.Random(f"{lot} {len(votes)}")
    met = Counter((*sorted((vote.pair.left, vote.pair.right)), vote.pair.row) for vote in votes)
    pairs = list(combinations(range(columns), 2))
    shuffled.shuffle(pairs)
    deviations = np.sqrt(np.diag(covariance))
    # How good each may still be: a pair of two that can't be the best any more says nothing of it.
    hopes = strengths + deviations

    def use(pair: tuple[int, int]) -> float:
        one, other = pair
        spread = covariance[one, one] + covariance[other, other] - 2 * covariance[one, other]
        even = 1 / (2 + 2 * np.cosh(strengths[one] - strengths[other]))
        return float(even * spread * np.exp(min(hopes[one], hopes[other]) - hopes.max()))

    one, other = max(pairs, key=use)
    places = list(range(rows))
    shuffled.shuffle(places)
    row = min(places, key=lambda place: met[one, other, place])
    return Pair(row, one, other) if shuffled.random() < 0.5 else Pair(row, other, one)


def write_votes(votes: Sequence[Vote]) -> str:
    """As an address has them: "0-2-1-1_..." are the row, the left and the right column, and the choice."""
    return "_".join(f"{vote.pair.row}-{vote.pair.left}-{vote.pair.right}-{vote.choice}" for vote in votes)


def read_votes(text: str, columns: int, rows: int) -> tuple[Vote, ...]:
    """Raises UsageError for choices that this comparison can't have."""
    votes = list[Vote]()
    for word in text.split("_") if text else ():
        found = _VOTE.fullmatch(word)
        row, left, right, choice = map(int, found.groups()) if found else (rows, 0, 0, 0)
        if len(votes) == MOST_VOTES or row >= rows or max(left, right) >= columns or left == right:
            raise UsageError(_("These are no choices of this comparison. Begin again."))
        votes.append(Vote(Pair(row, left, right), 1 if choice == 1 else 2 if choice == 2 else 0))
    return tuple(votes)


def _strengths(votes: Sequence[Vote], columns: int) -> tuple[Floats, Floats]:
    """The most likely strengths, and the covariance of what is not known of them. Newton's method."""
    left = np.array([vote.pair.left for vote in votes], dtype=int)
    right = np.array([vote.pair.right for vote in votes], dtype=int)
    # Half a win for each where neither is better.
    won = np.array([{0: 0.5, 1: 1.0, 2: 0.0}[vote.choice] for vote in votes])
    strengths: Floats = np.zeros(columns)
    for _step in range(_STEPS):
        chance = _logistic(strengths[left] - strengths[right])
        slope, curve = -strengths / _PRIOR_DEVIATION**2, np.eye(columns) / _PRIOR_DEVIATION**2
        np.add.at(slope, left, won - chance)
        np.add.at(slope, right, chance - won)
        weight = chance * (1 - chance)
        for one, other, sign in ((left, left, 1), (right, right, 1), (left, right, -1), (right, left, -1)):
            np.add.at(curve, (one, other), sign * weight)
        strengths = strengths + np.linalg.solve(curve, slope)
    return strengths, np.asarray(np.linalg.inv(curve), dtype=np.float64)


def _logistic(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-values)), dtype=np.float64)
