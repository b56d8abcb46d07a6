from __future__ import annotations

from typing import Any

from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.widgets import detail
from hub_ui.widgets.render import Renderer
from tests.hub_ui.catalog.builders import claim, file, lora, version

REF = Ref.parse("civitai:1")


def shown(of: Lora, ref: Ref = REF, held: bool = False) -> detail.Detail:
    return detail.detail(of, ref, ceiling="safe", held=lambda ref: held)


def html(of: Lora, **fields: Any) -> str:
    return detail.html(Renderer(), shown(of, **fields))


def test_each_fact_says_where_it_was_read() -> None:
    fact = next(f for f in shown(lora(1, base="Flux.1 D")).facts if f.name == "Base model")
    assert (fact.value, fact.source, fact.where) == ("FLUX.1 dev", "hub", "version.baseModel")


def test_a_fact_nobody_stated_has_no_row() -> None:
    assert [fact.name for fact in shown(lora(1)).facts] == []


def test_the_version_asked_for_is_the_one_shown() -> None:
    two = (version("civitai:1@10", name="new"), version("civitai:1@11", name="old"))
    choices = shown(lora(1, versions=two), Ref.parse("civitai:1@11")).versions
    assert [(c.name, c.current) for c in choices] == [("new", False), ("old", True)]


def test_trigger_words_are_buttons_that_copy() -> None:
    page = html(lora(1, claims=(claim("trigger_words", ("frost lane", 'a "quote"')),)))
    assert 'data-copy="frost lane"' in page
    assert 'data-copy="frost lane, a &#34;quote&#34;"' in page


def test_what_can_not_be_had_says_so_and_offers_no_download() -> None:
    page = html(lora(1, access="archived"))
    assert "The hub keeps the page but no files." in page
    assert '<button class="filled" data-act="try" data-ref="civitai:1@10#100" disabled>' in page


def test_what_is_in_the_library_can_be_tried_even_after_its_removal() -> None:
    assert 'data-ref="civitai:1@10#100">Download &amp; try' in html(lora(1, access="removed"), held=True)


def test_a_pickle_is_named_as_what_it_is() -> None:
    one = version("civitai:1@10", files=(file("civitai:1@10#100", name="a.pt", format="pickle"),))
    assert "can run code" in shown(lora(1, versions=(one,))).obstacle


def test_a_hostile_description_keeps_only_its_words() -> None:
    page = html(lora(1, description="<b>hi</b><script>alert(1)</script>", description_format="html"))
    assert '<div class="description" dir="auto"><b>hi</b></div>' in page
