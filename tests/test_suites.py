import shutil
import subprocess
from pathlib import Path

import pytest

from tests.programs import python
from tests.suites import MINUTES, ROOT, SUITES, belongs, changed_paths, touched, within

NEVER = "a commit that is not there"


@pytest.mark.parametrize("name", SUITES)
def test_what_a_suite_names_is_there(name: str) -> None:
    for place in (*SUITES[name].tests, *SUITES[name].covers):
        assert (ROOT / place).exists(), place


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_is_a_target_of_make(name: str) -> None:
    targets = [line.split(":")[0].split() for line in (ROOT / "Makefile").read_text().splitlines() if ":" in line]
    assert any(name in target for target in targets)


@pytest.mark.parametrize(
    ("path", "markers", "asked", "is_run"),
    [
        ("tests/browser/test_look.py", {"browser"}, (), True),
        ("tests/browser/test_sweep.py", {"browser", "journeys"}, (), False),
        ("tests/browser/test_look.py", {"browser"}, ("journeys",), True),
        ("tests/browser/test_sweep.py", {"browser", "journeys"}, ("journeys",), True),
        ("tests/browser/test_sweep.py", {"browser", "journeys"}, ("exact",), False),
        ("tests/hub_ui/base/test_format.py", set(), ("journeys",), False),
        ("tests/connectors/test_query.py", {"hypothesis"}, ("fuzz",), True),
        ("tests/connectors/test_query.py", {"hypothesis"}, ("exact",), False),
    ],
)
def test_which_tests_a_run_has(path: str, markers: set[str], asked: tuple[str, ...], is_run: bool) -> None:
    assert belongs(path, markers, asked) is is_run


def test_a_run_without_a_suite_leaves_out_what_has_a_marker() -> None:
    command = ("-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/tools/fuzz")
    gate, suite = (python(*command, *more).stdout for more in ((), ("--suite", "fuzz")))
    assert "test_nothing_fills_memory" in suite
    assert "test_nothing_fills_memory" not in gate
    assert "test_a_run_is_the_same_every_time" in gate


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("hub_ui/generate/engine.py", ["exact", "tools"]),
        ("hub_ui/web/layout/pages.py", ["journeys"]),
        ("hub_ui/generate/backends/cluster/node.py", ["cluster", "exact", "tools"]),
        ("connectors/base_models.toml", ["exact", "tools", "fuzz"]),
        ("connectors/weights/header.py", ["fuzz"]),
        ("hub_ui/library/download/queue.py", ["chaos"]),
        ("hub_ui/generate_more.py", []),
        ("README.md", ["documentation"]),
        ("LICENSE", []),
    ],
)
def test_a_changed_path_calls_for_the_suites_that_cover_it(path: str, names: list[str]) -> None:
    assert touched([path]) == names


def test_where_a_change_touches_everything_the_longest_suite_is_left_to_be_run_by_hand() -> None:
    assert within(MINUTES, SUITES) == (["cluster", "exact", "tools", "documentation", "fuzz", "journeys"], ["chaos"])
    assert within(12, ["cluster", "exact", "journeys"]) == (["cluster", "exact"], ["journeys"])


def commit(folder: Path, name: str, date: str) -> str:
    (folder / name).write_text(date)
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org")
    environment = {"GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date, "PATH": "/usr/bin:/bin:/usr/local/bin"}
    for command in (("init", "-q"), ("add", name), (*who, "commit", "-q", "-m", name)):
        subprocess.run(["git", *command], cwd=folder, check=True, env=environment)
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_the_change_is_what_came_since_the_day_before_or_since_the_commit_that_is_named(tmp_path: Path) -> None:
    commit(tmp_path, "old", "2026-01-01T00:00:00Z")
    assert changed_paths(None, tmp_path) is None
    second = commit(tmp_path, "new", "2026-01-03T00:00:00Z")
    commit(tmp_path, "newest", "2026-01-03T01:00:00Z")
    assert changed_paths(None, tmp_path) == ["new", "newest"]
    assert changed_paths(second.strip(), tmp_path) == ["newest"]
    assert changed_paths(NEVER, tmp_path) is None


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
@pytest.mark.parametrize("verb", ["run", "test"])
def test_what_takes_a_minute_is_said_before_it_begins(verb: str, tmp_path: Path) -> None:
    plan = subprocess.run(
        ["make", "--dry-run", verb, f"VENV={tmp_path / 'venv'}"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert (
        plan.index("Setting up") < plan.index("-m venv") < plan.index("Installing packages") < plan.index("pip install")
    )
    assert "--quiet" not in plan
