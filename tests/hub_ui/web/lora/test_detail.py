from typing import Any, Literal

import pytest

from connectors.claims.base_models import base_claims
from connectors.claims.resolve import flatten
from connectors.record import Example, Lora, Nsfw, Record, Version
from connectors.ref import Ref
from connectors.weights.inspect import Facts
from connectors.weights.lora_facts import LoraFacts
from hub_ui.app.compatibility import Requirements
from hub_ui.images.infotext import UsedLora
from hub_ui.web.layout.render import Renderer
from hub_ui.web.lora import detail
from hub_ui.web.lora.detail import Place, gallery
from hub_ui.web.lora.fact_rows import describe_changes, rows
from tests.hub_ui.catalog.builders import claim, file, lora, version

BASE = "https://huggingface.co/ada/ink/resolve/main/"


def html(text: str, kind: Literal["html", "markdown", "text"] = "markdown") -> str:
    return detail.description_html(text, kind, base=BASE, image_url=lambda url: f"own?{url}")


def test_markdown_is_rendered_below_the_panels_headings_and_plain_text_as_written() -> None:
    text = "# Ink\n\n<Gallery />\n\n## Use\n\n**bold** and `code`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    said = html(text)
    assert said.startswith("<h4>Ink</h4>")
    assert "<h4>Use</h4>\n<p><strong>bold</strong> and <code>code</code></p>" in said
    assert "<td>1</td>" in said
    assert "Gallery" not in said
    assert html("one <b> & two\n\nthree", "text") == "<p>one &lt;b&gt; &amp; two</p><p>three</p>"


def test_a_description_loses_its_code_and_a_word_without_end_gets_places_to_break() -> None:
    said = html('<p onclick="x()">A <b>style</b><script>x()</script><style>p {}</style></p>', "html")
    assert said == "<p>A <b>style</b></p>"
    assert html("x" * 100, "text") == f"<p>{'x' * 40}<wbr>{'x' * 40}<wbr>{'x' * 20}</p>"
    assert html("&" * 50, "text") == f"<p>{'&amp;' * 40}<wbr>{'&amp;' * 10}</p>"


def test_pictures_go_through_the_page_and_links_open_beside_it() -> None:
    said = html("![one](images/1.png) <img src=//far.example/2.png onerror=x()>")
    assert 'src="own?https://huggingface.co/ada/ink/resolve/main/images/1.png"' in said
    assert '<img src="own?https://far.example/2.png" loading="lazy">' in said
    said = html("[files](/ada/ink/tree/main) [run](javascript:x()) <a href='java&#10;script:x()'>y</a>")
    after = ' target="_blank" rel="noopener noreferrer nofollow">'
    assert f'<a href="https://huggingface.co/ada/ink/tree/main"{after}files</a>' in said
    assert "script:" not in said.replace("[run](javascript:x())", "")


@pytest.mark.parametrize("kind", ["markdown", "html", "text"])
def test_no_kind_lets_a_script_through(kind: Literal["html", "markdown", "text"]) -> None:
    said = html("<img src=x onerror=alert(1)><svg onload=alert(1)><iframe srcdoc=x></iframe>${alert(1)}", kind)
    tags = [part.split(">")[0] for part in said.split("<")[1:]]
    assert [tag for tag in tags if "onerror" in tag or "onload" in tag or tag.startswith(("svg", "iframe"))] == []


@pytest.mark.parametrize("piece", ["[", "*a ", "<", "`", "> ", "[a](", "<b>", "&#", "- "])
def test_what_is_longer_than_anyone_reads_is_cut_off_with_a_word(piece: str) -> None:
    assert html(piece * 100_000).endswith("<p>There is more of it on the hub.</p>")


REF = Ref.parse("civitai:1")


def shown(of: Lora, facts: Facts | None = None, needs: Requirements | None = None, **fields: Any) -> dict[str, Any]:
    version, file = detail.version_and_file(of, REF)
    named = {"key_place": "own", "in_library": False, **fields}
    return detail.offer(flatten(of, version, file), version, facts, needs or Requirements(), **named)


def test_a_fact_nobody_stated_has_no_row() -> None:
    assert rows(flatten(lora(1)), None) == ()


def test_a_pickle_and_a_language_models_lora_are_named_as_what_they_are() -> None:
    one = version("civitai:1@10", files=(file("civitai:1@10#100", name="a.pt", format="pickle"),))
    assert "can run code" in shown(lora(1, versions=(one,)))["obstacle"]
    told = shown(lora(1), facts=Facts(adapter=LoraFacts(what="llm-lora")), in_library=True)
    assert told["obstacle"] == (
        "This is no LoRA for images or videos: the file is a LoRA for a language model. It can't be tried here."
    )
    assert (told["refused"], told["try_problem"]) == (True, told["obstacle"])


def test_a_file_that_wants_a_key_says_exactly_where_one_goes() -> None:
    of = lora(1, versions=(version("civitai:1@10", access="login", files=(file(),)),), access="login")
    assert shown(of)["obstacle"] == (
        "CivitAI gives this file only to people with a key. Add your key under Settings. "
        "Make one at civitai.com/user/account."
    )
    places: dict[Place, str] = {
        "demo": "Add the demo's key under Settings: demo-granted.",
        "visit": "Add your key for this visit under Settings. Make one at civitai.com/user/account.",
        "sign-in": "Sign in to CivitAI under Settings.",
        "shared": "This shared page has no sign-in.",
    }
    for place, said in places.items():
        assert said in shown(of, key_place=place)["obstacle"]


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
    told = shown(lora(1, versions=(one,), access=access), key_place=None)
    assert (told["obstacle"], told["caution"], told["try_problem"]) == ("", caution, "")


def test_what_no_base_here_can_carry_can_be_downloaded_and_not_tried() -> None:
    needs = Requirements(text="This LoRA needs FLUX.1 dev.", closed=True, unfit=True)
    told = shown(lora(1), needs=needs)
    assert (told["obstacle"], told["try_problem"]) == ("", "This LoRA needs FLUX.1 dev.")
    heavy = Requirements(text="Tried on FLUX.1 dev: 24 GB.")
    assert shown(lora(1), needs=heavy)["try_problem"] == ""


def test_versions_that_only_the_history_has_come_by_their_titles_and_change_nothing() -> None:
    def commit(name: str, day: int, said: str = "") -> Version:
        ref = f"huggingface:ada/ink@{name * 40}"
        return version(ref, name=name * 8, updated_at=f"2026-01-{day:02}", description=said, files=())

    seen = (commit("c", 9), commit("a", 1))
    of = Lora(ref=Ref.parse("huggingface:ada/ink"), title="Ink", url=BASE, versions=seen)
    history = (commit("d", 10, "Fix the card <i>"), commit("c", 9, "Train longer"), commit("b", 5, "Second try"))
    found = detail.with_changes(of, history)
    assert [(str(version.ref)[19:21], version.description, changes) for version, _record, changes in found] == [
        ("@d", "Fix the card <i>", ()),
        ("@c", "Train longer", ()),
        ("@b", "Second try", ()),
        ("@a", "", ()),
    ]


def test_a_scan_is_told_where_it_was_no_success_and_a_person_where_it_is_one() -> None:
    def told(result: str, person: bool) -> list[tuple[str, str]]:
        files = (file(claims=(claim("scan", result),)),)
        one = lora(claims=(claim("real_person", person),), versions=(version(files=files),))
        return [(fact.name, fact.value) for fact in rows(flatten(one), None)]

    assert told("Success", False) == []
    assert told("Pending", True) == [("Real person", "yes"), ("Scan", "Pending")]


def test_danger_is_an_obstacle_that_names_the_way_past_it() -> None:
    told = shown(lora(versions=(version(files=(file(claims=(claim("scan", "Danger"),)),)),)))
    assert told["obstacle"] == (
        "CivitAI's scan found danger in this file. If you trust it all the same: hub-ui pull civitai:1@10#100 --force"
    )
    assert told["try_problem"] == told["obstacle"]


HOSTILE = "<img src=x onerror=alert(1)>${alert(1)}"


def items(*examples: Example, ceiling: Nsfw = "explicit") -> list[tuple[int, Example]]:
    return gallery(flatten(lora(1, versions=(version("civitai:1@10", examples=examples),))), ceiling)


def item(prompt: str = "a boat", **params: Any) -> tuple[int, Example]:
    return items(Example(url="https://a.example/1.png", prompt=prompt, params=params))[0]


def settings(**params: Any) -> list[tuple[str, str, str]]:
    return list(detail.settings(Example(url="", params=params)))


def page(*shown: tuple[int, Example]) -> str:
    module: Any = Renderer()._environment.get_template("lora/gallery.html").module
    return str(module.gallery(shown, "civitai:1@10", "open=civitai%3A1", "Ink"))


def test_every_setting_is_shown_those_with_a_word_first_but_no_lists_and_digests() -> None:
    others: dict[str, Any] = {"Hires upscale": 2, "cfgScale": 3.5, "Size": "896x976", "Model": "flux"}
    assert settings(seed=417, steps="25", **others) == [
        ("Seed", "417", "seed"), ("Steps", "25", "steps"), ("Guidance", "3.5", "guidance"), ("Size", "896x976", ""),
        ("Model", "flux", "base-model"), ("Hires upscale", "2", ""),
    ]  # fmt: skip
    assert settings(width=1024, height=768) == [("Size", "1024 × 768", "")]
    lists: dict[str, Any] = {"civitaiResources": [{"type": "lora"}], "Lora hashes": "ink: ab"}
    assert settings(hashes={"model": "ab"}, **lists) == []


def test_a_prompt_keeps_its_lines_and_hostile_text_stays_text_and_each_lora_is_copied_as_a_tag() -> None:
    assert 'alt="a boat\nat sea"' in page(item("a boat\nat\u202e sea\x00"))
    shown = page(item(HOSTILE))
    assert "<img src=x" not in shown
    assert 'alt="&lt;img src=x onerror=alert(1)&gt;' in shown
    assert detail.lora_text(UsedLora(name="ink", weight=0.8)) == ("ink", "0.8", "<lora:ink:0.8>")


def test_what_is_above_the_level_is_left_out_and_all_others_are_there_up_to_sixty() -> None:
    levels: tuple[Nsfw, ...] = ("explicit", "safe")
    examples = [Example(url=f"https://a.example/{level}.png", nsfw=level) for level in levels]
    assert [index for index, _example in items(*examples, ceiling="soft")] == [1]
    assert page(*items(*examples)).count("blurred") == 1
    assert len(items(*(Example(url=f"https://a.example/{n}.png", nsfw="safe") for n in range(80)))) == 60


def test_a_video_never_starts_by_itself_and_shows_a_still_where_its_hub_has_one() -> None:
    shown = page(*items(Example(url="https://a.example/1.mp4", nsfw="safe", video=True)))
    assert 'data-video="hub-video?url=https%3A%2F%2Fa.example%2F1.mp4' in shown
    assert ("<video" in shown, "<img" in shown) == (False, False)
    url = "https://image.civitai.com/acc/11111111-2222-3333-4444-555555555555/original=true/1.mp4"
    shown = page(*items(Example(url=url, nsfw="safe", video=True)))
    assert "anim%3Dfalse" in shown.split('<img src="')[1].split('"')[0]


def record(base: str = "SDXL 1.0", size: int = 50_000_000, **claims: Any) -> Record:
    said = tuple(claim(field, value) for field, value in claims.items())
    one = version("civitai:1@10", files=(file(size=size),), claims=(*base_claims(base, "hub", "baseModel"), *said))
    return flatten(lora(1, versions=(one,)))


@pytest.mark.parametrize(
    ("older", "newer", "changes"),
    [
        ({}, {}, ()),
        ({"rank": 16}, {"rank": 32}, ("rank 16 → 32",)),
        ({"rank": 16}, {}, ()),
        ({}, {"rank": 32}, ()),
        ({"base": "SDXL 1.0"}, {"base": "Illustrious"}, ("base SDXL 1.0 → Illustrious",)),
        ({"algorithm": "lora"}, {"algorithm": "locon"}, ("algorithm LoRA → LoCon",)),
        ({"weight": 0.8}, {"weight": 1.0}, ("weight 0.8 → 1",)),
        ({"size": 50_000_000}, {"size": 151_000_000}, ("size 50 MB → 151 MB",)),
        ({"size": 50_000_000}, {"size": 50_400_000}, ()),
        ({"trigger_words": ("ink",)}, {"trigger_words": ("Ink", "inkline")}, ("new trigger word “inkline”",)),
        ({"trigger_words": ("a", "b", "c")}, {"trigger_words": ("a",)}, ("without the trigger words “b”, “c”",)),
        ({"trigger_words": ("ink",)}, {}, ("no trigger word any more",)),
        ({}, {"trigger_words": ("a", "b", "c", "d", "e")}, ("new trigger words “a”, “b”, “c” and 2 more",)),
        (
            {"rank": 16, "trigger_words": ("a",)},
            {"base": "Illustrious", "rank": 32, "trigger_words": ("b",)},
            ("base SDXL 1.0 → Illustrious", "rank 16 → 32", "new trigger word “b”", "without the trigger word “a”"),
        ),
    ],
)
def test_changes_are_told_in_words(older: dict[str, Any], newer: dict[str, Any], changes: tuple[str, ...]) -> None:
    assert tuple(describe_changes(record(**older), record(**newer))) == changes


def test_a_word_that_is_a_book_is_cut() -> None:
    [change] = describe_changes(record(), record(trigger_words=("w" * 500,)))
    assert change == f"new trigger word “{'w' * 40}”"
