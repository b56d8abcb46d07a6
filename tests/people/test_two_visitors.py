"""Two people use every feature of a hosted page; `python -m tests.people.two_visitors` is the long form."""

from pathlib import Path

from tests.people.two_visitors import each_once, play


def test_nothing_of_one_visitor_reaches_the_other_a_log_or_a_file(tmp_path: Path) -> None:
    told = play(tmp_path, list(each_once(seed=15)))
    assert [str(finding) for finding in told.findings] == []
    assert told.unheard == []
