from __future__ import annotations

from typing import Any, Literal

import pytest

from connectors.record import Lora, Version
from connectors.ref import Ref
from connectors.weights.inspect import Facts
from connectors.weights.lora_facts import LoraFacts
from hub_ui.widgets import detail
from hub_ui.widgets.detail import Keys, Place
from hub_ui.widgets.render import Renderer
from tests.hub_ui.catalog.builders import claim, file, lora, version

BASE = "https://huggingface.co/ada/ink/resolve/main/"


def html(text: str, kind: Literal["html", "markdown", "text"] = "markdown") -> str:
    return detail.description_html(text, kind, base=BASE, image_url=lambda url: f"own?{url}")


def test_markdown_is_rendered_below_the_panels_headings() -> None:
    text = "# Ink\n\n<Gallery />\n\n## Use\n\n**bold** and `code`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    said = html(text)
    assert said.startswith("<h4>Ink</h4>")
    assert "<h4>Use</h4>\n<p><strong>bold</strong> and <code>code</code></p>" in said
    assert "<td>1</td>" in said
    assert "Gallery" not in said


def test_a_description_keeps_its_words_and_loses_its_code() -> None:
    said = html('<p onclick="x()">A <b>style</b><script>x()</script><style>p {}</style></p>', "html")
    assert said == "<p>A <b>style</b></p>"


def test_pictures_go_through_the_page_and_relative_ones_are_of_the_same_commit() -> None:
    said = html("![one](images/1.png) <img src=//far.example/2.png onerror=x()>")
    assert 'src="own?https://huggingface.co/ada/ink/resolve/main/images/1.png"' in said
    assert '<img src="own?https://far.example/2.png" loading="lazy">' in said


def test_links_are_web_addresses_unfollowed_and_open_beside_the_page() -> None:
    said = html("[files](/ada/ink/tree/main) [run](javascript:x()) <a href='java&#10;script:x()'>y</a>")
    after = ' target="_blank" rel="noopener noreferrer nofollow">'
    assert f'<a href="https://huggingface.co/ada/ink/tree/main"{after}files</a>' in said
    assert "script:" not in said.replace("[run](javascript:x())", "")


@pytest.mark.parametrize("kind", ["markdown", "html", "text"])
def test_no_kind_lets_a_script_through(kind: Literal["html", "markdown", "text"]) -> None:
    said = html("<img src=x onerror=alert(1)><svg onload=alert(1)><iframe srcdoc=x></iframe>${alert(1)}", kind)
    tags = [part.split(">")[0] for part in said.split("<")[1:]]
    assert [tag for tag in tags if "onerror" in tag or "onload" in tag or tag.startswith(("svg", "iframe"))] == []


def test_plain_text_is_shown_as_written() -> None:
    assert html("one <b> & two\n\nthree", "text") == "<p>one &lt;b&gt; &amp; two</p><p>three</p>"


def test_a_word_without_end_gets_places_to_break_and_entities_stay_whole() -> None:
    assert html("x" * 100, "text") == f"<p>{'x' * 40}<wbr>{'x' * 40}<wbr>{'x' * 20}</p>"
    assert html("&" * 50, "text") == f"<p>{'&amp;' * 40}<wbr>{'&amp;' * 10}</p>"


@pytest.mark.parametrize("piece", ["[", "![", "*a ", "<", "`", "> ", "[a](", "<b>", "&#", "- "])
def test_what_is_longer_than_anyone_reads_is_cut_off_with_a_word(piece: str) -> None:
    assert html(piece * 100_000).endswith("<p>There is more of it on the hub.</p>")


REF = Ref.parse("civitai:1")


def shown(of: Lora, ref: Ref = REF, held: bool = False, **fields: Any) -> detail.Detail:
    return detail.detail(of, ref, ceiling="safe", in_library=lambda ref: held, **fields)


def detail_html(of: Lora, **fields: Any) -> str:
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
    page = detail_html(lora(1, claims=(claim("trigger_words", ("frost lane", 'a "quote"')),)))
    assert 'data-copy="frost lane"' in page
    assert 'data-copy="frost lane, a &#34;quote&#34;"' in page


def test_what_can_not_be_had_says_so_and_offers_no_download() -> None:
    page = detail_html(lora(1, access="archived"))
    assert "The hub keeps the page but no files." in page
    assert '<button class="filled" data-act="try" data-ref="civitai:1@10#100" disabled title="The hub keeps' in page


def test_what_is_in_the_library_can_be_tried_even_after_its_removal() -> None:
    assert 'data-ref="civitai:1@10#100">Download &amp; try' in detail_html(lora(1, access="removed"), held=True)


def test_a_pickle_is_named_as_what_it_is() -> None:
    one = version("civitai:1@10", files=(file("civitai:1@10#100", name="a.pt", format="pickle"),))
    assert "can run code" in shown(lora(1, versions=(one,))).obstacle


def test_a_hostile_description_keeps_only_its_words() -> None:
    page = detail_html(lora(1, description="<b>hi</b><script>alert(1)</script>", description_format="html"))
    assert '<div class="description" dir="auto"><b>hi</b></div>' in page


def test_a_language_models_lora_is_refused_with_what_it_is() -> None:
    page = detail_html(lora(1), facts=Facts(adapter=LoraFacts(what="llm-lora")), held=True)
    assert "This is no LoRA for images or videos: the file is a LoRA for a language model." in page
    assert page.count(" disabled") == 3


def test_how_little_was_read_is_told() -> None:
    facts = Facts(adapter=LoraFacts(what="lora"), size=151_000_000, bytes_read=98_304)
    assert shown(lora(1), facts=facts).state == "Read from 98 kB of 151 MB, nothing downloaded"


def test_while_a_header_is_read_the_panel_says_so() -> None:
    assert '<p class="state" role="status">Reading' in detail_html(lora(1), state="Reading the file's header…")


def test_a_contradiction_is_marked_in_the_table() -> None:
    header = claim("architecture", "flux1", source="header")
    page = detail_html(lora(1, base="SDXL 1.0"), facts=Facts(adapter=LoraFacts(what="lora", claims=(header,))))
    assert '<td dir="auto">FLUX.1<small><span aria-hidden="true">⚠</span> CivitAI says SDXL 1.0</small></td>' in page


def test_what_is_odd_about_a_file_is_told_under_the_table() -> None:
    facts = Facts(adapter=LoraFacts(what="lora", warnings=("Layers that have only one of their two halves: 3.",)))
    assert shown(lora(1), facts=facts).warnings == ("Layers that have only one of their two halves: 3.",)


def test_a_file_that_wants_a_key_says_exactly_where_one_goes() -> None:
    of = lora(1, versions=(version("civitai:1@10", access="login", files=(file(),)),), access="login")
    assert shown(of).obstacle == (
        "CivitAI hands this file to people with a key. Add your key under Settings. "
        "Make one at civitai.com/user/account."
    )
    places: dict[Place, str] = {
        "demo": "Add the demo's key under Settings: demo-granted.",
        "visit": "Add your key for this visit under Settings. Make one at civitai.com/user/account.",
        "sign-in": "Sign in to CivitAI under Settings.",
        "shared": "This shared page has no sign-in.",
    }
    for place, said in places.items():
        assert said in shown(of, keys=Keys(places={"civitai": place})).obstacle


@pytest.mark.parametrize(
    ("access", "caution"),
    [
        ("login", ""),
        ("gated", "Its author grants access one by one, on the hub's page. It opens for you once access is granted."),
        ("paid", "Until Friday. It opens for you if you have bought it."),
    ],
)
def test_with_a_key_it_can_be_downloaded(access: Any, caution: str) -> None:
    note = "Until Friday." if access == "paid" else None
    one = version("civitai:1@10", access=access, access_note=note, files=(file(),))
    told = shown(lora(1, versions=(one,), access=access), keys=Keys(hubs=frozenset({"civitai"})))
    assert (told.obstacle, told.caution, told.try_problem) == ("", caution, "")


def test_what_no_base_here_can_carry_says_so_before_the_click() -> None:
    needs = detail.Requirements(text="This LoRA needs FLUX.1 dev.", closed=True, unfit=True)
    page = detail_html(lora(1), needs=lambda record: needs)
    assert '<p class="obstacle">This LoRA needs FLUX.1 dev.</p>' in page
    assert 'disabled title="This LoRA needs FLUX.1 dev.">Download &amp; try</button>' in page
    assert 'data-act="pull" data-ref="civitai:1@10#100" title="Download into the library">Pull' in page


def test_versions_say_what_is_new_since_the_one_before() -> None:
    def dated(number: int, day: int, rank: int, **fields: Any) -> Version:
        files = (file(f"civitai:1@{number}#1", size=rank * 1_000_000, claims=(claim("rank", rank),)),)
        return version(f"civitai:1@{number}", updated_at=f"2026-01-{day:02}", files=files, **fields)

    of = lora(1, versions=(dated(3, 9, 32, description="Retrained. <b>"), dated(1, 2, 16), dated(2, 5, 16)))
    items = shown(of).versions
    assert [each.changes for each in items] == [("rank 16 → 32", "size 16 MB → 32 MB"), (), ()]
    assert '<q dir="auto">Retrained. &lt;b&gt;</q>' in detail_html(of)


def test_versions_that_only_the_history_has_come_by_their_titles_and_change_nothing() -> None:
    def commit(name: str, day: int, said: str = "") -> Version:
        ref = f"huggingface:ada/ink@{name * 40}"
        return version(ref, name=name * 8, updated_at=f"2026-01-{day:02}", description=said, files=())

    seen = (commit("c", 9), commit("a", 1))
    of = Lora(ref=Ref.parse("huggingface:ada/ink"), title="Ink", url=BASE, versions=seen)
    history = (commit("d", 10, "Fix the card <i>"), commit("c", 9, "Train longer"), commit("b", 5, "Second try"))
    items = shown(of, history=history).versions
    assert [(each.ref[19:21], each.said, each.current, each.changes) for each in items] == [
        ("@d", "Fix the card <i>", False, ()),
        ("@c", "Train longer", True, ()),
        ("@b", "Second try", False, ()),
        ("@a", "", False, ()),
    ]
    assert "Fix the card &lt;i&gt;" in detail_html(of, history=history)


def test_creator_and_tags_are_searches() -> None:
    page = detail_html(lora(1, creator='Ada "L"', tags=("line art", "<i>")))
    assert 'data-act="search" data-query="creator:&#34;Ada \\&#34;L\\&#34;&#34;"' in page
    assert 'href="?q=tag%3A%22line%20art%22" data-act="search" data-query="tag:&#34;line art&#34;"' in page
    assert "&lt;i&gt;</a>" in page


def test_what_is_shared_is_this_lora_and_nothing_else_of_the_address() -> None:
    assert 'data-share="?open=civitai%3A1"' in detail_html(lora(1))


def test_a_long_fact_has_its_source_below_it() -> None:
    terms = "images may be sold, no paid generation services, not for sale"
    page = detail_html(lora(1, claims=(claim("license_terms", terms),)))
    assert f'<td dir="auto" colspan="2">{terms}<span class="source" title="model.field">' in page


def test_what_a_lora_is_and_is_not_is_one_tap_away() -> None:
    assert 'data-term="full-fine-tune"' in detail_html(lora(1))
    whole = Facts(adapter=LoraFacts(what="checkpoint"))
    assert 'data-term="full-fine-tune"' not in detail_html(lora(1), facts=whole)


def panel(one: Lora) -> str:
    return detail.html(Renderer(), detail.detail(one, one.ref, ceiling="soft", in_library=lambda ref: False))


def test_the_panel_of_a_runner_says_that_it_is_no_lora() -> None:
    runner = panel(lora(claims=(claim("kind", "runner"),), access="generation-only"))
    assert "a hosted model that takes LoRAs, and is none" in runner
    assert "no full fine-tune" not in runner
    assert "no full fine-tune" in panel(lora())


def test_a_scan_is_told_where_it_was_no_success_and_a_person_where_it_is_one() -> None:
    def rows(result: str, person: bool) -> list[tuple[str, str]]:
        files = (file(claims=(claim("scan", result),)),)
        one = lora(claims=(claim("real_person", person),), versions=(version(files=files),))
        facts = detail.detail(one, one.ref, ceiling="soft", in_library=lambda ref: False).facts
        return [(fact.name, fact.value) for fact in facts]

    assert rows("Success", False) == []
    assert rows("Pending", True) == [("Real person", "yes"), ("Scan", "Pending")]


def test_danger_is_an_obstacle_that_names_the_way_past_it() -> None:
    one = lora(versions=(version(files=(file(claims=(claim("scan", "Danger"),)),)),))
    shown = detail.detail(one, one.ref, ceiling="soft", in_library=lambda ref: False)
    assert shown.obstacle == (
        "CivitAI's scan found danger in this file. If you trust it all the same: hub-ui pull civitai:1@10#100 --force"
    )
    assert shown.try_problem == shown.obstacle
