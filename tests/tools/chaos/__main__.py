"""`python -m tests.tools.chaos`: every fault of every hub, a queue of twenty downloads, and a crawl of 20,000 LoRAs.

A round is one queue in a fresh home: killed with SIGKILL at random moments, started again, and looked at each time,
until all twenty files are there. What must not be ends the run with the seed and the round; `--round` plays it again.
The crawl is killed twenty times.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

from connectors.ref import Origin
from tests.faults import Faults
from tests.faulty_hubs import running_hubs
from tests.recording import Recorder
from tests.tools.chaos.crawl import KilledCrawl, crawl_summary
from tests.tools.chaos.home import Broken, Home
from tests.tools.chaos.lives import MOMENTS, Round, Told, Worker
from tests.tools.chaos.wanted import SLOW_SECONDS, Wanted, slow, troubles, write_hubs

ROOT = Path(__file__).resolve().parents[3]
FAILURES = ROOT / "chaos-failures"
MATRIX = "tests/hub_ui/library/download/test_faults.py"
_MB = 1e6


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.chaos")
    parser.add_argument("--rounds", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, help="drawn if not given; the same seed has the same moments")
    parser.add_argument("--round", type=int, metavar="N", help="only this round of the seed")
    asked = parser.parse_args(arguments)
    seed = asked.seed if asked.seed is not None else Random().randrange(10**6)
    numbers = range(asked.rounds) if asked.round is None else range(asked.round, asked.round + 1)
    good = asked.round is not None or matrix()
    good = rounds(seed, numbers) and good
    if asked.round is None:
        good = killed_crawl(seed) and good
    return 0 if good else 1


def matrix() -> bool:
    """The faults one by one."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", MATRIX]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def rounds(seed: int, numbers: Sequence[int]) -> bool:
    """Plays them, and tells what came of it; False at the first that is broken."""
    begin, told = time.monotonic(), list[Told]()
    try:
        with stage(seed) as playing:
            for number in numbers:
                told.append(playing.play(number))
                if len(numbers) > 20 and len(told) % 20 == 0:
                    print(f"  {len(told)} of {len(numbers)} rounds, {time.monotonic() - begin:.0f} s", flush=True)
    except Broken as broken:
        print(f"Seed {seed}, after {len(told)} good rounds: {broken}", flush=True)
        return False
    print(summary(seed, told, playing.usual, time.monotonic() - begin), flush=True)
    return True


def killed_crawl(seed: int) -> bool:
    loras: dict[Origin, int] = {"civitai": 8_000, "huggingface": 7_000, "replicate": 5_000}
    with tempfile.TemporaryDirectory() as name:
        try:
            told = KilledCrawl(loras=loras, home=Path(name) / "home", random=Random(seed)).play(20)
        except Broken as broken:
            print(f"Crawl, seed {seed}: {broken}", flush=True)
            return False
    print("\n".join(crawl_summary(seed, told)), flush=True)
    return True


@dataclass(frozen=True, kw_only=True)
class Stage:
    """`usual` is what the queue takes when nothing disturbs it."""

    seed: int
    folder: Path
    wanted: Sequence[Wanted]
    worker: Worker
    recorder: Recorder
    faults: Faults
    usual: Told

    def play(self, number: int) -> Told:
        """Until a kill has come in time.

        Every other round some of the files have a fault of their hub besides, and every fourth a second process waits.
        """
        random = Random(f"{self.seed} {number}")
        home = Home(path=self.folder / str(number), wanted=self.wanted)
        while True:
            try:
                told = self._round(home, random, number).play()
            except Broken as broken:
                raise Broken(f"round {number}: {broken}\n  {self._keep(home, number)}") from broken
            shutil.rmtree(home.path)
            if told.kills:
                return told

    def _round(self, home: Home, random: Random, number: int) -> Round:
        trouble = troubles(self.wanted, random) if number % 2 else []
        self.faults.clear()
        self.faults.add(*slow(self.wanted), *trouble)
        return Round(
            home=home, worker=self.worker, recorder=self.recorder, random=random, usual_seconds=self.usual.seconds,
            troubled={fault.match for fault in trouble}, beside=number % 4 == 2,
        )  # fmt: skip

    def _keep(self, home: Home, number: int) -> str:
        """For whoever looks for the reason."""
        kept = FAILURES / f"{self.seed}-{number}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(home.path, kept)
        return f"what it left is in {kept.relative_to(ROOT)}; play it again with --seed {self.seed} --round {number}"


@contextmanager
def stage(seed: int, slow_seconds: tuple[float, float] = SLOW_SECONDS) -> Iterator[Stage]:
    """The hubs, listened to, and the queue's usual run measured."""
    recorder = Recorder()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wanted = write_hubs(folder / "hubs", Random(seed), slow_seconds)
        with running_hubs(folder / "hubs", around=recorder.around) as hubs:
            hubs.faults.add(*slow(wanted))
            worker = Worker.on({**hubs.as_env(), "REPLICATE_API_TOKEN": "r8_chaos"}, wanted)
            usual = Round(
                home=Home(path=folder / "usual", wanted=wanted), worker=worker, recorder=recorder, random=Random(seed),
                usual_seconds=0.0,
            ).play(disturbed=False)  # fmt: skip
            yield Stage(
                seed=seed, folder=folder, wanted=wanted, worker=worker, recorder=recorder, faults=hubs.faults,
                usual=usual,
            )  # fmt: skip


def summary(seed: int, told: Sequence[Told], usual: Told, seconds: float) -> str:
    kills = [kill for each in told for kill in each.kills]
    wasted = sum(max(0, each.sent - usual.sent) for each in told)
    share = wasted / max(len(told), 1) / usual.sent
    return "\n".join([
        f"{len(told)} rounds of seed {seed} in {seconds:.0f} s: every file complete and right, none fetched again",
        f"  undisturbed, the queue takes {usual.seconds:.1f} s and {usual.sent / _MB:.1f} MB",
        *(_moment_line(moment, [complete for at, complete in kills if at == moment]) for moment in MOMENTS),
        f"  {sum(each.too_late for each in told)} kills came after the end",
        f"  {wasted / max(len(kills), 1) / _MB:.2f} MB lost by a kill or a fault, {share:.0%} more than undisturbed",
    ])  # fmt: skip


def _moment_line(moment: str, complete: Sequence[int]) -> str:
    if not complete:
        return f"  no kill: {moment}"
    spread = f"{min(complete)} to {max(complete)} files complete, mostly {median(complete):.0f}"
    return f"  {len(complete)} kills: {moment}, with {spread}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
