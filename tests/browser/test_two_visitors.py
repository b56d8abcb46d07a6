"""Two people use every feature of a hosted page; `python -m tests.browser.two_visitors` is the long form."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.two_visitors import each_once, play

pytestmark = [pytest.mark.browser, pytest.mark.journeys]


def test_nothing_of_one_visitor_reaches_the_other_a_log_or_a_file(browser: Browser, tmp_path: Path) -> None:
    told = play(tmp_path, browser, list(each_once(seed=15)))
    assert [str(finding) for finding in told.findings] == []
    assert told.unheard == []
