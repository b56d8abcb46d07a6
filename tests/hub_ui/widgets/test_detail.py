from __future__ import annotations

from typing import Any

import pytest

from connectors.record import Lora
from connectors.ref import Ref
from connectors.weights.inspect import Facts
from connectors.weights.lora_facts import LoraFacts
from hub_ui.widgets import detail
from hub_ui.widgets.access import Keys
from hub_ui.widgets.render import Renderer
from tests.hub_ui.catalog.builders import claim, file, lora, version

REF = Ref.parse("civitai:1")


def shown(of: Lora, ref: Ref = REF, held: bool = False, **fields: Any) -> detail.Detail:
    return detail.detail(of, ref, ceiling="safe", in_library=lambda ref: held, **fields)


def html(of: Lora, **fields: Any) -> str:
    return detail.html(Renderer(), shown(of, **fields))


def test_each_fact_says_where_it_was_read() -> None:
    fact = next(f for f in shown(lora(1, base="Flux.1 D")).facts if f.name == "Base model")
    assert (fact.value, fact.source, fact.where) == ("FLUX.1 dev", "CivitAI", "version.baseModel")


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
    assert '<button class="filled" data-act="try" data-ref="civitai:1@10#100" disabled title="The hub keeps' in page


def test_what_is_in_the_library_can_be_tried_even_after_its_removal() -> None:
    assert 'data-ref="civitai:1@10#100">Download &amp; try' in html(lora(1, access="removed"), held=True)


def test_a_pickle_is_named_as_what_it_is() -> None:
    one = version("civitai:1@10", files=(file("civitai:1@10#100", name="a.pt", format="pickle"),))
    assert "can run code" in shown(lora(1, versions=(one,))).obstacle


def test_a_hostile_description_keeps_only_its_words() -> None:
    page = html(lora(1, description="<b>hi</b><script>alert(1)</script>", description_format="html"))
    assert '<div class="description" dir="auto"><b>hi</b></div>' in page


def test_a_language_models_lora_is_refused_with_what_it_is() -> None:
    page = html(lora(1), facts=Facts(adapter=LoraFacts(what="llm-lora")), held=True)
    assert "This is no LoRA for images or videos: the file is a LoRA for a language model." in page
    assert page.count(" disabled") == 3


def test_how_little_was_read_is_told() -> None:
    facts = Facts(adapter=LoraFacts(what="lora"), size=151_000_000, bytes_read=98_304)
    assert shown(lora(1), facts=facts).state == "Read from 98 kB of 151 MB, nothing downloaded"


def test_while_a_header_is_read_the_panel_says_so() -> None:
    assert '<p class="state" role="status">Reading' in html(lora(1), state="Reading the file's header…")


def test_a_contradiction_is_marked_in_the_table() -> None:
    header = claim("architecture", "flux1", source="header")
    page = html(lora(1, base="SDXL 1.0"), facts=Facts(adapter=LoraFacts(what="lora", claims=(header,))))
    assert '<td dir="auto">FLUX.1<small><span aria-hidden="true">⚠</span> CivitAI says SDXL 1.0</small></td>' in page


def test_what_is_odd_about_a_file_is_told_under_the_table() -> None:
    facts = Facts(adapter=LoraFacts(what="lora", warnings=("Layers that have only one of their two halves: 3.",)))
    assert shown(lora(1), facts=facts).warnings == ("Layers that have only one of their two halves: 3.",)


def test_a_file_that_wants_a_key_says_exactly_where_one_goes() -> None:
    of = lora(1, versions=(version("civitai:1@10", access="login", files=(file(),)),), access="login")
    assert shown(of).obstacle == (
        "CivitAI hands this file to people with a key. Set CIVITAI_TOKEN to a key of yours, made at "
        "civitai.com/user/account, and start hub-ui again."
    )
    assert "A shared page uses nobody's keys." in shown(of, keys=Keys(place="shared")).obstacle
    assert "The demo has no key." in shown(of, keys=Keys(place="demo")).obstacle


@pytest.mark.parametrize(
    ("access", "caution"),
    [
        ("login", ""),
        ("gated", "Its author grants access one by one, on the hub's page. Your key opens it once access is granted."),
        ("paid", "Until Friday. Your key opens it if you have bought it."),
    ],
)
def test_with_a_key_it_can_be_downloaded(access: Any, caution: str) -> None:
    note = "Until Friday." if access == "paid" else None
    one = version("civitai:1@10", access=access, access_note=note, files=(file(),))
    told = shown(lora(1, versions=(one,), access=access), keys=Keys(hubs=frozenset({"civitai"})))
    assert (told.obstacle, told.caution, told.try_problem) == ("", caution, "")


def test_what_no_base_here_can_carry_says_so_before_the_click() -> None:
    needs = detail.Needs(text="This LoRA needs FLUX.1 dev.", closed=True, unfit=True)
    page = html(lora(1), needs=lambda record: needs)
    assert '<p class="obstacle">This LoRA needs FLUX.1 dev.</p>' in page
    assert 'disabled title="This LoRA needs FLUX.1 dev.">Download &amp; try</button>' in page
    assert 'data-act="pull" data-ref="civitai:1@10#100" title="Download into the library">Pull' in page
