"""`python -m tests.tools.fuzz`: damaged headers and answers by the thousand, and whether each ends as it should.

Every case ends in a record or in one of our errors, within a moment and within 200 MB for the whole process. What does
not is written to fuzz-failures/, and `--replay FILE` reads it again. Then come all tests that
draw what they try.
"""

import argparse
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from random import Random

from tests.tools.fuzz import answers, headers
from tests.tools.fuzz.cases import MOST_MEMORY, Fault, Tally, What, kind, run

ROOT = Path(__file__).resolve().parents[3]
FAILURES = ROOT / "fuzz-failures"
_STRETCH = 2_500


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.fuzz")
    parser.add_argument("--headers", type=int, default=100_000, metavar="N")
    parser.add_argument("--answers", type=int, default=20_000, metavar="N")
    parser.add_argument("--seed", type=int, help="a run with the same seed has the same cases; drawn if not given")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="read one file of fuzz-failures again")
    asked = parser.parse_args(arguments)
    if asked.replay:
        return _replay(asked.replay)
    seed = asked.seed if asked.seed is not None else Random().randrange(10**6)
    tallies = [
        fuzz("bombs", seed, len(headers.BOMBS)),
        fuzz("headers", seed, asked.headers),
        fuzz("answer bombs", seed, answers.BOMBS),
        fuzz("answers", seed, asked.answers),
    ]
    good = tests()
    return 0 if good and all(tally.good for tally in tallies) else 1


def tests() -> bool:
    """Those that draw what they try, with seeds of this run; in CI with the usual ones."""
    command = [sys.executable, "-m", "pytest", "-q", "--numprocesses", "auto", "--suite", "fuzz"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def fuzz(what: What, seed: int, count: int) -> Tally:
    """In stretches, each in a fresh process, as many at a time as there are processors."""
    start, whole, told = time.monotonic(), Tally(), 0
    with ProcessPoolExecutor(mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        starts = range(0, count, _STRETCH)
        stretches = [pool.submit(run, what, seed, range(at, min(at + _STRETCH, count))) for at in starts]
        for done in as_completed(stretches):
            whole.add(done.result())
            if count > _STRETCH and whole.outcomes.total() - told >= count / 10:
                told = whole.outcomes.total()
                print(f"  {told:,} of {count:,} {what}", flush=True)
    print(_summary(what, seed, whole, time.monotonic() - start), flush=True)
    for fault in whole.faults:
        print(f"  {fault.error}\n    {fault.where}, kept as {_keep(fault, what, seed)}", flush=True)
    return whole


def _summary(what: What, seed: int, tally: Tally, seconds: float) -> str:
    counts = ", ".join(f"{name} {count:,}" for name, count in tally.outcomes.most_common())
    over = "" if tally.memory <= MOST_MEMORY else "   MISSED"
    return (
        f"{tally.outcomes.total():,} {what} of seed {seed} in {seconds:.0f} s: {counts}\n"
        f"  at most {tally.memory / 2**20:.0f} MB of {MOST_MEMORY / 2**20:.0f} for the whole process{over}; "
        f"the slowest took {tally.slowest * 1000:.0f} ms"
    )


def _keep(fault: Fault, what: What, seed: int) -> Path:
    FAILURES.mkdir(exist_ok=True)
    path = FAILURES / f"{seed}-{fault.number}-{fault.name}"
    path.write_bytes(fault.data)
    again = f"seed {seed}, {what} number {fault.number}\n\n{fault.details}"
    path.with_name(path.name + ".txt").write_text(again, encoding="utf-8", errors="backslashreplace")
    return path.relative_to(ROOT)


def _replay(path: Path) -> int:
    """As it would be read in a run: an error that is none of ours comes out as it is."""
    what: What = "headers" if path.name.endswith(".safetensors") else "answers"
    with kind(what) as (_, read):
        if what == "headers":
            read(headers.kept(path.read_bytes()))
        else:
            name = path.name.split("-", 2)[2].removesuffix(".json")
            read(answers.Answer(kind=name, data=path.read_bytes(), headers={}, asked=None))
    print("Read, as it should be.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
