"""`python -m tests.people.two_visitors`: two people use every feature of a hosted page at random, and nothing leaks.

Whatever either was told, whatever the page said and wrote is then looked at: no key, nothing of the other's, no folder
of the server. The same `--seed` chooses the same actions.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.people.actions import ACTIONS, FIRST, LONG_ONLY, Action, Visit
from tests.people.leaks import Finding
from tests.people.two_people import PEOPLE, Person, staged

# Of a model of their own, its file, a generated image, a dropped one, an upload, the endpoints.
HEARD = ("What {} trained", "{}-trigger", "{}-weights", "{}-prompt", "{}-dropped", "{}-upload", "{}-asked")


@dataclass(frozen=True, kw_only=True)
class Step:
    person: Person
    action: Action
    seed: str

    def __str__(self) -> str:
        return f"{self.person.name}: {self.action.__name__}"


@dataclass(frozen=True, kw_only=True)
class Told:
    """`answers` and their `bytes_` are what was looked at beside files and the log.

    `unheard` is what neither person was told, though they should have been: it could not have leaked either.
    """

    findings: Sequence[Finding]
    unheard: Sequence[str]
    answers: int
    bytes_: int


def random_steps(number: int, seed: int) -> Iterator[Step]:
    random, weights = Random(seed), ACTIONS | LONG_ONLY
    yield from first_steps(seed)
    for index in range(number):
        action = random.choices([*weights], [*weights.values()])[0]
        yield Step(person=random.choice(PEOPLE), action=action, seed=f"{seed} {index}")


def each_once(seed: int, actions: Iterable[Action] = ACTIONS) -> Iterator[Step]:
    """Every action, in turns."""
    yield from first_steps(seed)
    for index, action in enumerate(actions):
        yield Step(person=PEOPLE[index % 2], action=action, seed=f"{seed} {index}")


def first_steps(seed: int) -> Iterator[Step]:
    for action in FIRST:
        for person in PEOPLE:
            yield Step(person=person, action=action, seed=f"{seed} {person.name}")


def play(folder: Path, steps: Sequence[Step], *, tell: bool = False) -> Told:
    """An action that does not come to its end raises, with its number in a note."""
    with staged(folder) as stage:
        for index, step in enumerate(steps):
            begin, browser = time.monotonic(), stage.browsers[step.person.name]
            try:
                step.action(Visit(person=step.person, browser=browser, random=Random(step.seed)))
            except Exception as error:
                error.add_note(f"Action {index} of {len(steps)}, {step}. Found until then: {stage.leaks()}")
                raise
            if tell:
                print(f"{index:4} {time.monotonic() - begin:5.1f} s  {step}", flush=True)
        while_open = stage.leaks()
        unheard = [text for text in HEARD if not any(stage.heard(each, text.format(each.word)) for each in PEOPLE)]
    # Uploads and results are gone with the page.
    left = stage.scan.find_in_files(stage.folder)
    answers = [answer for browser in stage.browsers.values() for answer in browser.answers]
    return Told(
        findings=list(dict.fromkeys([*while_open, *left])), unheard=unheard, answers=len(answers),
        bytes_=sum(len(answer.body) for answer in answers),
    )  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.people.two_visitors")
    parser.add_argument("--actions", type=int, default=200, metavar="N", help="0: each of them once")
    parser.add_argument("--seed", type=int, help="drawn if not given; the same seed has the same actions")
    asked = parser.parse_args(arguments)
    seed = asked.seed if asked.seed is not None else Random().randrange(10**6)
    steps = list(random_steps(asked.actions, seed) if asked.actions else each_once(seed))
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        told = play(Path(folder), steps, tell=True)
    for action, count in Counter(step.action.__name__ for step in steps).most_common():
        print(f"{count:4} {action}")
    seconds = time.monotonic() - begin
    print(
        f"{len(steps)} actions of seed {seed} in {seconds:.0f} s: {len(told.findings)} leaks in {told.answers:,} "
        f"answers ({told.bytes_ / 1e6:.0f} MB), the log and all files"
    )
    for text in told.unheard:
        print(f"NOT SEEN {text}: this run proves nothing about it")
    for finding in told.findings:
        print(f"LEAK {finding}")
    return 1 if told.findings or told.unheard else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
