from pathlib import Path

import pytest

from tests.corpus import absence, check


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    there, absent = tmp_path / "there", tmp_path / "absent"
    there.mkdir()
    (there / "a.json").touch()
    assert absence(there, there) is None
    assert absence(there, absent) == f"There are no recordings at {absent}."
    assert absence(absent, absent) == f"There are no recordings at {absent} and {absent}."


def test_in_ci_its_absence_is_an_error() -> None:
    with pytest.raises(pytest.UsageError, match="no recordings"):
        check({"CI": "true"}, "There are no recordings.")
    check({"CI": "true"}, None)
    check({}, "There are no recordings.")
