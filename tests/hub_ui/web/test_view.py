from dataclasses import replace
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import UsageError
from connectors.query import Query, Range
from connectors.query_language import parse
from hub_ui.generate.try_fields import TrySettings, rows_of, size_of
from hub_ui.web.view import PAGE_SIZE, StackedLora, View
from tests.connectors.queries import QUERIES


def test_an_untouched_view_has_an_empty_address_and_any_other_survives_the_address_bar() -> None:
    assert View().to_address() == ""
    view = View(
        page="try",
        query=Query(text="ink & wash", hubs=("civitai",), bases=("flux1",), kinds=("style",), limit=PAGE_SIZE),
        open="civitai:12@34",
        stack=(StackedLora(ref="huggingface:some/lora", weight=0.6), StackedLora(ref="civitai:12@34#56")),
        settings=TrySettings(prompt="a boat, *bold*", seed=7),
    )
    assert View.from_address(view.to_address()) == view


@pytest.mark.parametrize(
    "address",
    ["view=nowhere", "hub=nohub", "kind=nokind", "sort=up", "nsfw=all", "open=%00", "lora=*", "lora=x*y", "seed=-1"],
)
def test_what_an_address_says_wrongly_is_left_out(address: str) -> None:
    assert View.from_address(address) == View()


def test_what_is_wrong_in_an_address_is_left_out_and_the_rest_of_it_counts() -> None:
    assert View.from_address("hub=nohub&kind=style").query.kinds == ("style",)
    query = View.from_address("q=ink+kind:stile+knd:x+rank:%3E8&hub=hf&hub=nohub&base=SDXL+1.0").query
    assert (query.text, query.kinds, query.rank) == ("ink", (), Range(least=9))
    assert (query.hubs, query.bases) == (("huggingface",), ("sdxl-1.0",))
    assert View.from_address("&".join(f"q={i}" for i in range(1_000))) == View()


def test_what_has_no_parameter_of_its_own_is_a_filter() -> None:
    query = parse('ink "two words" base:flux1 rank:>=16 -tag:x sort:likes', Query(limit=PAGE_SIZE))
    address = "q=ink+%22two+words%22&base=flux1&filter=-tag%3Ax&filter=rank%3A%3E%3D16&sort=likes"
    assert View(query=query).to_address() == address


@given(QUERIES)
def test_every_query_survives_the_address(query: Query) -> None:
    # Words stand before filters.
    excluded = tuple(sorted(query.excluded, key=lambda each: each[0] != "text"))
    view = View(query=replace(query, excluded=excluded, limit=PAGE_SIZE))
    assert View.from_address(view.to_address()) == view


def test_a_typed_filter_is_the_same_as_a_chosen_one() -> None:
    chosen = View(query=replace(View().query, bases=("flux1",), kinds=("style",), text="ink"))
    assert View.from_address("q=ink+base:FLUX1+kind:style") == chosen


@pytest.mark.parametrize("wrong", ["rank:abc", "knd:style", "-trigger:any", "base:sdxxl", 'base:"a b"'])
def test_the_search_box_keeps_a_filter_that_is_wrong(wrong: str) -> None:
    view = View.from_address(urlencode({"q": f"{wrong} ink hub:civitai"}))
    assert (view.text, view.conditions) == (f"ink {wrong}", (("hub", "civitai"),))
    assert View.from_address(view.to_address()) == view
    assert bool(view.problem) == (not wrong.startswith("base"))


def test_a_weight_in_an_address_stays_within_its_range_a_lora_is_there_once_and_a_long_prompt_whole() -> None:
    assert View.from_address("lora=civitai:1*99").stack == (StackedLora(ref="civitai:1", weight=2.0),)
    assert View.from_address("lora=civitai:1&lora=civitai:1*0.5").stack == (StackedLora(ref="civitai:1", weight=0.5),)
    view = View(page="try", settings=TrySettings(prompt="灯" * 2000, negative="ب" * 2000))
    assert View.from_address(view.to_address()) == view


@pytest.mark.parametrize(
    ("view", "link"),
    [
        (View(), "./"), (View(query=Query(text="ink")), "./?q=ink"), (View(page="library"), "library"),
        (View(page="news", query=Query(text="ink")), "news?q=ink"),
        (View(page="try", settings=TrySettings(seed=7)), "try?seed=7"),
    ],
)  # fmt: skip
def test_link_names_the_page_by_its_path(view: View, link: str) -> None:
    assert view.link() == link
    assert view.link("../") == f"../{link.removeprefix('./')}"


def test_trying_replaces_the_stack_and_stacking_adds_once() -> None:
    view = View(stack=(StackedLora(ref="civitai:1"),)).with_lora("civitai:2").with_lora("civitai:1")
    assert [s.ref for s in view.stack] == ["civitai:2", "civitai:1"]
    assert [s.ref for s in view.try_lora("civitai:3").stack] == ["civitai:3"]


@pytest.mark.parametrize(
    ("address", "usual", "level"),
    [
        ("q=nsfw:safe", "mature", "safe"),
        ("", "mature", "mature"),
        ("nsfw=explicit", "mature", "explicit"),
        ("", "everything", "soft"),
        ("", None, "soft"),
    ],
)
def test_the_browsers_level_holds_where_the_address_names_none(address: str, usual: str | None, level: str) -> None:
    assert View.from_address(address, usual).query.nsfw == level


FULL = TrySettings(
    prompt="a boat & a *bird*", negative="blur", seed=7, steps=12, guidance=3.5, size=(512, 768), base="sdxl-1.0",
    sampler="DPM++ 2M Karras", use_trigger_words=False, sheet="grid", prompts=("a cat", "a dog"), place="replicate",
    weights=(-0.5, 0.0, 1.25), varied=1, quality="full", clip_weights=(0.5, 0.5), blocks=("OUTALL", "1,0,-0.5"),
    strength=0.45,
)  # fmt: skip


def through_an_address(settings: TrySettings) -> TrySettings:
    return TrySettings.from_pairs(parse_qs(urlencode(settings.to_pairs())))


def test_settings_survive_the_address_in_which_what_is_as_usual_takes_no_room() -> None:
    assert through_an_address(FULL) == FULL
    assert TrySettings().to_pairs() == []


@given(st.text(max_size=200), st.integers(0, 2**53), st.floats(0, 50))
def test_any_text_and_number_comes_back(prompt: str, seed: int, guidance: float) -> None:
    settings = TrySettings(prompt=" ".join(prompt.split()), seed=seed, guidance=float(f"{round(guidance, 4):g}"))
    assert through_an_address(settings) == settings


@pytest.mark.parametrize(
    "pair",
    [("steps", "0"), ("steps", "-4"), ("seed", "9" * 17), ("cfg", "nan"), ("size", "0x5"), ("on", "<b>"),
     ("sheet", "one"), ("sheet", "x"), ("place", "moon"), ("weights", "0, 3"),
     ("weights", "nan"), ("varied", "32"), ("seeds", "5"), ("words", "on"), ("quality", "best")],
)  # fmt: skip
def test_what_makes_no_sense_in_an_address_is_left_out(pair: tuple[str, str]) -> None:
    assert TrySettings.from_pairs({pair[0]: [pair[1]]}) == TrySettings()


@pytest.mark.parametrize(("text", "size"), [("512", (512, 512)), ("640 x 480", (640, 480)), ("1024×768", (1024, 768))])
def test_a_size_is_read_as_people_write_it(text: str, size: tuple[int, int]) -> None:
    assert size_of(text) == size


def test_what_is_no_size_is_refused_with_an_example_and_rows_are_lines_that_say_something() -> None:
    with pytest.raises(UsageError, match="1024 x 768"):
        size_of("large")
    assert rows_of(" a  cat \n\n a dog\n") == ("a cat", "a dog")
    assert TrySettings.from_pairs({"row": ["", "a dog"]}).prompts == ("a dog",)


@pytest.mark.parametrize(
    ("base", "shared"),
    [("sdxl-1.0", "sdxl-1.0"), ("/home/me/base", ""), ("./base", ""), ("~/base", ""), ("me/base", "me/base")],
)
def test_a_link_for_others_has_nothing_of_this_computer(base: str, shared: str) -> None:
    stack = (StackedLora(ref="civitai:1"), StackedLora(ref=f"local:ink@{'a' * 64}"))
    mine = View(page="try", query=Query(text="private"), stack=stack, settings=TrySettings(base=base, seed=5))
    assert mine.shareable() == View(page="try", stack=stack[:1], settings=TrySettings(base=shared, seed=5))
