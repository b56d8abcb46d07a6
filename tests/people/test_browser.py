"""tests/people/browser.py keeps all that somebody is told, streams included, and sends forms as browsers do."""

from contextlib import closing
from pathlib import Path

from bs4 import BeautifulSoup

from tests.hub_ui.web.raw import served
from tests.people.browser import Browser, fields_of
from tests.people.leaks import Scan, Secret
from tests.people.two_people import leaks_of_answers

SCAN = Scan(secrets=[Secret(text="brasswick", what="words of Ben", of="Ben")])
FORM = """
<form id="f"><input name="a" value="1"><input name="b" type="checkbox"><input name="c" type="checkbox" checked>
<input name="d" disabled value="4"><select name="e"><option value="x"><option value="y" selected></select>
<textarea name="g">long</textarea><button name="h">Send</button></form><input form="f" name="i" value="9">
"""


def test_a_stream_is_looked_at_like_every_answer(tmp_path: Path) -> None:
    with served(tmp_path, hosted=True) as page, closing(Browser(page.url)) as browser:
        browser.go("?q=brasswick")
    found = [str(finding) for finding in leaks_of_answers(SCAN, "Ada", browser.answers)]
    assert any(each.startswith("words of Ben in GET /ask to Ada: ") for each in found)
    assert list(leaks_of_answers(SCAN, "Ben", browser.answers)) == []


def test_a_form_is_sent_as_it_stands() -> None:
    piece = BeautifulSoup(FORM, "html.parser")
    form = piece.form
    assert form is not None
    sent = {"a": ["1"], "c": ["on"], "e": ["y"], "g": ["long"], "i": ["9"]}
    assert fields_of([piece], form) == sent
