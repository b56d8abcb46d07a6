"""Which tests `make test` leaves to a suite of their own, and which suites a change calls for.

A suite is a make target. `make test` has its short form: the tests of its folder that carry no suite's marker.
`python -m tests.suites` is what CI asks: it prints a line for each suite that the change touches, with what CI passes
to it as ARGS.
"""

import os
import subprocess
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Minutes of two quiet cores that CI has for suites, beside `make lint` and `make test`.
MINUTES = 45
SINCE = "HUB_UI_CHANGED_SINCE"


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """`tests` are the files where its short form is, `covers` the paths whose change calls for the suite.

    In CI it takes `minutes`: what `make test` has run is left out there, and seeds are fixed.
    """

    about: str
    tests: tuple[str, ...]
    covers: tuple[str, ...]
    minutes: int
    in_ci: str


_BASES = "connectors/base_models.toml"
_PAGE = ("hub_ui/app/jobs.py", "hub_ui/base/i18n.py", "hub_ui/locales", "hub_ui/web")
_READERS = ("connectors/civitai", "connectors/huggingface", "connectors/replicate", "connectors/weights")

# Those that find most in least time come first.
SUITES: dict[str, Suite] = {
    "cluster": Suite(
        about="processes that are started, killed and stopped: Ray, `hub-ui serve`, SIGTERM",
        tests=(
            "tests/hub_ui/generate/backends/cluster",
            "tests/hub_ui/commands/test_serve.py",
            "tests/hub_ui/web/test_sigterm.py",
        ),
        covers=(
            "hub_ui/generate/backends/cluster",
            "hub_ui/commands/worker.py",
            "hub_ui/base/lifecycle.py",
            "hub_ui/web/server.py",
        ),
        minutes=4,
        in_ci="-m cluster",
    ),
    "exact": Suite(
        about="each file format on each architecture, and memory that runs out at each stage of each level",
        tests=("tests/hub_ui/generate",),
        covers=(_BASES, "hub_ui/generate", "hub_ui/library/upkeep/export.py", "tests/hub_ui/generate"),
        minutes=8,
        in_ci="-m exact",
    ),
    "tools": Suite(
        about="that `make bench` and `make gpu` work, in short",
        tests=("tests/tools/benchmarks", "tests/tools/gpu"),
        covers=(_BASES, "hub_ui/generate", "tests/tools/benchmarks", "tests/tools/gpu"),
        minutes=2,
        in_ci="-m tools",
    ),
    "documentation": Suite(
        about="that the shell lines of every page of the documentation do what they say",
        tests=("tests/docs",),
        covers=("README.md", "docs", "hub_ui/commands", "hub_ui/demo/hubs"),
        minutes=2,
        in_ci="-m documentation",
    ),
    "fuzz": Suite(
        about="damaged headers and hub answers, and whatever Hypothesis thinks of",
        tests=("tests/tools/fuzz",),
        covers=(_BASES, *_READERS, "tests/tools/fuzz"),
        minutes=6,
        in_ci="--seed 1 --headers 10000 --answers 2000",
    ),
    "journeys": Suite(
        about="every page in Chromium: each state, width and language, hostile texts, many visitors at once",
        tests=("tests/browser",),
        covers=(*_PAGE, "tests/browser"),
        minutes=22,
        in_ci="-m journeys",
    ),
    "chaos": Suite(
        about="every fault of every hub, and processes that are killed at random moments",
        tests=("tests/tools/chaos",),
        covers=("connectors/http", "hub_ui/catalog/crawl.py", "hub_ui/library", "tests/tools/chaos"),
        minutes=20,
        in_ci="--seed 1 --rounds 20",
    ),
}  # fmt: skip


def belongs(path: str, markers: Collection[str], asked: Collection[str]) -> bool:
    """Whether a test is run where these suites are asked for; where none is, `make test` is meant."""
    suites = SUITES.keys() & set(markers)
    if not asked:
        return not suites
    if suites:
        return bool(suites & set(asked))
    if "fuzz" in asked and "hypothesis" in markers:
        return True
    return any(_lies_in(path, SUITES[name].tests) for name in asked)


def touched(paths: Iterable[str]) -> list[str]:
    """The suites that cover one of these paths."""
    changed = list(paths)
    return [name for name, suite in SUITES.items() if any(_lies_in(path, suite.covers) for path in changed)]


def _lies_in(path: str, places: Iterable[str]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


def within(minutes: int, names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Those that there is time for, in order, and the others."""
    taken, left = list[str](), list[str]()
    for name in names:
        fits = sum(SUITES[each].minutes for each in taken) + SUITES[name].minutes <= minutes
        (taken if fits else left).append(name)
    return taken, left


def changed_paths(since: str | None, root: Path = ROOT) -> list[str] | None:
    """The paths that differ from that commit; None where it is not known.

    Without one it is the newest commit that is a day older than the last: more may have changed since then than this
    change did, never less, unless it took longer than a day.
    """
    if not since:
        newest = _git(root, "log", "-1", "--format=%ct")
        since = newest and _git(root, "rev-list", "-1", f"--before={int(newest) - 86_400}", "HEAD")
    told = _git(root, "diff", "--name-only", "--no-renames", since, "HEAD") if since else None
    return None if told is None else told.splitlines()


def _git(root: Path, *arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def main() -> int:
    paths = changed_paths(os.environ.get(SINCE))
    if paths is None:
        print(f"What has changed is not known; name a commit in {SINCE}. All suites count as touched.", file=sys.stderr)
    taken, left = within(MINUTES, SUITES if paths is None else touched(paths))
    for name in left:
        print(f"No time is left here for `make {name}`: run it by hand.", file=sys.stderr)
    for name in taken:
        print(name, SUITES[name].in_ci)
    return 0


if __name__ == "__main__":
    sys.exit(main())
