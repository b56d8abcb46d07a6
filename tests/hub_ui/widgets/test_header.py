from __future__ import annotations

from datetime import UTC, datetime

from connectors.errors import HubDown, KeyRequired, RateLimited
from connectors.federation import Answer
from connectors.query import Page
from hub_ui.widgets import header
from hub_ui.widgets.render import Renderer


def test_a_hub_that_answered_tells_how_many_of_the_list_are_its_and_its_time() -> None:
    status = header.answer_status(Answer(hub="civitai", seconds=0.42, page=Page(hub="civitai", loras=())))
    assert (status.state, status.text, header.with_hits(status, 9412).hits) == ("good", "0.4 s", "9,412")


def test_a_hub_that_failed_has_no_number() -> None:
    assert header.with_hits(header.error_status("civitai", HubDown("Down.", hub="civitai")), 3).hits == ""


def test_a_hub_without_a_key_offers_one_in_place() -> None:
    status = header.error_status("replicate", KeyRequired("Add a key.", hub="replicate"))
    assert 'data-page="settings">add a key</a>' in header.hubs_html(Renderer(), [status])


def test_a_hub_that_is_down_says_why_on_hover() -> None:
    status = header.error_status("civitai", HubDown("CivitAI can't be reached.", hub="civitai"))
    assert (status.state, status.text, status.title) == ("down", "no answer", "CivitAI can't be reached.")


def test_a_rate_limit_says_how_long_to_wait() -> None:
    status = header.error_status("civitai", RateLimited("Slow.", retry_after=30))
    assert status.text == "asks again in 30 s"
    assert f'data-until="{status.until}" data-words="asks again in {{n}} s"' in header.hubs_html(Renderer(), [status])


def test_a_hub_that_is_down_says_since_when_and_can_be_asked_again_in_place() -> None:
    since = datetime(2026, 1, 2, 14, 2, tzinfo=UTC)
    status = header.error_status("civitai", HubDown("CivitAI can't be reached.", hub="civitai"), since)
    page = header.hubs_html(Renderer(), [status])
    assert 'data-since="1767362520" data-words="down since {time}">no answer</span>' in page
    assert 'data-act="retry" data-hub="civitai"' in page


def test_a_hub_that_is_left_alone_says_since_when_and_until_when() -> None:
    since = datetime(2026, 1, 2, 14, 2, tzinfo=UTC)
    status = header.error_status("civitai", HubDown("CivitAI has failed.", hub="civitai", retry_after=14.2), since)
    page = header.hubs_html(Renderer(), [status])
    assert 'data-since="1767362520" data-words="down since {time}">no answer</span>' in page
    assert f'data-until="{status.until}" data-words="asked again in {{n}} s">asked again in 15 s</span>' in page


def test_the_current_page_is_named_also_where_it_has_no_link() -> None:
    page = header.nav_html(Renderer(), "train", closed=("train",))
    assert '<h1 class="visually-hidden" data-name="train">Train</h1>' in page
    assert "aria-current" not in page


def test_the_try_page_waits_for_the_form_of_its_loras() -> None:
    page = header.nav_html(Renderer(), "try", stacked=1, stack="-3f", awaited=True)
    assert '#page-try:not(:has([data-stack="-3f"])) { animation: awaited 30s !important; }' in page
    assert "awaited" not in header.nav_html(Renderer(), "try", stacked=1, stack="-3f")
