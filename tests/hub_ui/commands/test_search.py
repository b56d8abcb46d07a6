from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import connectors
from connectors.errors import BadQuery, HubDown
from connectors.query import Page, Query, Range
from connectors.ref import Ref
from hub_ui.cli import main
from hub_ui.commands.search import Search
from hub_ui.library import lockfile
from hub_ui.library.lockfile import Entry
from tests.hub_ui.library.shared_hubs import Line
from tests.hub_ui.stand_ins import Hub, lora


class AnyWords(Hub):
    """Finds its LoRAs by any words, as a hub does that searches comments or other languages."""

    def search(self, query: Query, cursor: str | None = None) -> Page:
        return Page(hub=self.name, loras=tuple(self.loras))


def use(monkeypatch: pytest.MonkeyPatch, *hubs: Hub) -> None:
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: hubs)


def two_of(hub: Hub, **fields: Any) -> Hub:
    ref = Ref(hub=hub.name, id="77" if hub.name == "civitai" else "bob/wash")
    hub.loras += [lora(hub.name), lora(hub.name, title="Ink wash", ref=ref, versions=(), **fields)]
    return hub


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> tuple[Hub, ...]:
    hubs = tuple(two_of(Hub(name=name), downloads=5) for name in ("civitai", "huggingface", "replicate"))
    use(monkeypatch, *hubs)
    return hubs


def hubs_of(line: Line, text: str) -> list[str]:
    _, answer = line("search", text)
    return sorted(record["hub"] for record in answer["results"])


def test_the_text_is_the_query_language() -> None:
    expected = Query(text="ink", rank=Range(least=16), excluded=(("text", "anime"),), limit=200)
    assert Search(text="ink rank:>=16 -anime").query == expected


def test_options_and_filters_add_up() -> None:
    asked = Search(text="ink base:sdxl hub:hf", base=["flux1"], hub=["civitai"], kind=["style"], limit=5).query
    expected = Query(text="ink", bases=("flux1", "sdxl"), hubs=("civitai", "huggingface"), kinds=("style",), limit=5)
    assert asked == expected


def test_of_two_orders_or_levels_the_options_counts() -> None:
    text = "ink sort:likes nsfw:mature"
    assert Search(text=text).query == Query(text="ink", sort="likes", nsfw="mature", limit=200)
    chosen = Search(text=text, sort="relevance", nsfw="safe").query
    assert chosen == Query(text="ink", sort="relevance", nsfw="safe", limit=200)


def test_a_misspelt_filter_is_told_so() -> None:
    with pytest.raises(BadQuery, match="Did you mean “kind”"):
        _ = Search(text="ink knd:style").query


def test_the_answer_is_the_catalogs_in_one_order(three: tuple[Hub, ...], line: Line) -> None:
    found = line("search", "Ink")
    assert len(found[1]["results"]) == 6
    assert line("search", "Ink", "--offline") == found


def test_with_every_hub_down_what_was_seen_before_is_printed(three: tuple[Hub, ...], line: Line) -> None:
    line("search", "Ink")
    for hub in three:
        hub.error = HubDown("It can't be reached.", hub=hub.name)
    code, answer = line("search", "Ink")
    assert (code, len(answer["results"]), len(answer["failures"])) == (5, 6, 3)


def test_what_a_hub_finds_by_words_that_no_text_has_is_found(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, AnyWords(name="civitai", loras=[lora()]))
    assert hubs_of(line, "aquarelle") == ["civitai"]
    assert hubs_of(line, "gouache kind:style") == []


def test_conditions_that_no_hub_knows_are_the_catalogs(three: tuple[Hub, ...], line: Line) -> None:
    three[0].loras[1] = replace(three[0].loras[1], creator="bob", tags=("anime",))
    assert hubs_of(line, "wash -creator:bob -hub:replicate") == ["huggingface"]
    assert hubs_of(line, "Ink tag:anime trigger:any") == ["civitai"]
    assert hubs_of(line, "Ink size:<1mb -hub:civitai") == ["huggingface", "replicate"]


def test_only_what_is_in_the_library_is_installed(three: tuple[Hub, ...], line: Line, home: Path) -> None:
    ref = Ref.parse("civitai:1001@2001#3001")
    entry = Entry(ref=ref, title="Ink lines", file="ink.safetensors", size=1, sha256="a" * 64, source="")
    (home / "loras").mkdir(parents=True)
    (home / "loras" / "loras.lock").write_text(lockfile.dumps([entry]))
    assert hubs_of(line, "Ink installed:yes") == ["civitai"]
    assert hubs_of(line, "lines installed:no") == ["huggingface", "replicate"]


def test_a_line_stands_above_what_has_fewer_words(three: tuple[Hub, ...], line: Line) -> None:
    line("search", "Ink")
    _, text = line.words("search", "ink qwrtz", "--offline", "--hub", "civitai")
    first, header, *_ = text.splitlines()
    assert first == "Nothing has all 2 words. With 1 of them:"
    assert header.startswith("TITLE")


def test_hubs_that_have_nothing_are_asked_for_the_corrected_words(monkeypatch: pytest.MonkeyPatch, line: Line) -> None:
    hub = two_of(Hub(name="civitai"))
    use(monkeypatch, hub)
    line("search", "wash")
    hub.loras.append(replace(hub.loras[-1], title="A wash", ref=Ref(hub="civitai", id="78"), versions=()))
    assert sorted(record["title"] for record in line("search", "wosh")[1]["results"]) == ["A wash", "Ink wash"]
    assert len(hub.asked) == 3


def test_a_word_that_is_in_no_lora_is_corrected(
    monkeypatch: pytest.MonkeyPatch, line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, two_of(Hub(name="civitai")))
    line("search", "wash")
    main(["search", "wosh", "--offline"])
    assert "Did you mean: wash" in capsys.readouterr().err
