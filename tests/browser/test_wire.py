"""tests/browser/wire.py keeps all that somebody is told, also while it is still being told."""

from __future__ import annotations

from pathlib import Path

import requests

from tests.browser.leaks import Scan, Secret
from tests.browser.two_people import leaks_of_answers
from tests.browser.wire import recorded
from tests.hub_ui.web.raw import Visitor, served

SCAN = Scan(secrets=[Secret(text="brasswick", what="words of Ben", of="Ben")])


def test_an_event_stream_is_looked_at_like_every_answer(tmp_path: Path) -> None:
    with served(tmp_path, hosted=True) as page, recorded(page.url) as (url, wire):
        ben = Visitor(url=url, services=page.services)
        ben.look_at("?q=brasswick")
        ben.ask(ben.event("state.change > nav").number, [None, None])
        requests.get(f"{url}glossary", timeout=60)
        assert [answer.request for answer in wire.answers][-1] == "GET /glossary"
        found = [str(finding) for finding in leaks_of_answers(SCAN, "Ada", wire)]
        assert any(each.startswith("words of Ben in GET /gradio_api/queue/data to Ada: ") for each in found)
        assert list(leaks_of_answers(SCAN, "Ben", wire)) == []
