"""hub-ui search, show and inspect on the local hubs, as a person calls them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import connectors
from connectors.errors import HubDown
from connectors.query import Query, Range
from connectors.ref import Ref
from connectors.registry import HUBS
from hub_ui.commands import parse_source
from hub_ui.commands.search import Search
from hub_ui.library import lockfile
from hub_ui.library.lockfile import Entry
from tests.connectors import big_files
from tests.connectors.big_files import running as running
from tests.connectors.weights import building
from tests.connectors.weights.building import file_of, raw_header, tensors
from tests.connectors.weights.test_tar import LORA
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.shared_hubs import Line
from tests.hub_ui.stand_ins import Hub, lora


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
    assert Search(text="ink", base=["flux"]).query == Query(text="ink", bases=("flux1", "flux2", "flux3"), limit=200)


def test_of_two_orders_or_levels_the_options_counts() -> None:
    text = "ink sort:likes nsfw:mature"
    assert Search(text=text).query == Query(text="ink", sort="likes", nsfw="mature", limit=200)
    chosen = Search(text=text, sort="relevance", nsfw="safe").query
    assert chosen == Query(text="ink", sort="relevance", nsfw="safe", limit=200)


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


def test_a_word_that_is_in_no_lora_is_corrected(monkeypatch: pytest.MonkeyPatch, line: Line) -> None:
    use(monkeypatch, two_of(Hub(name="civitai")))
    line("search", "wash")
    line.run("search", "wosh", "--offline")
    assert "Did you mean: wash" in line.err


@pytest.fixture
def hubs(running: HubEndpoints, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubEndpoints]:
    for name, hub in HUBS.items():
        monkeypatch.setenv(hub.endpoint_variable, getattr(running, name))
    yield running
    running.faults.clear()


def test_several_are_a_list_where_a_failure_stands_in_its_place(hubs: HubEndpoints, line: Line, tmp_path: Path) -> None:
    (tmp_path / "page.safetensors").write_bytes(b"<html>" * 5)
    (tmp_path / "lora.safetensors").write_bytes(LORA)
    there = f"{hubs.huggingface}/ada/big/resolve/main/short.safetensors"
    files = (f"{tmp_path}/page.safetensors", there, "nix.safetensors", f"{tmp_path}/lora.safetensors")
    code, (page, remote, missing, local) = line("inspect", *files)
    assert code == 7
    assert (page["error"], missing["error"], missing.keys()) == ("NotWeights", "NotFound", {"error", "message"})
    assert (remote["requests"], remote["rank"], local["requests"], local["size"]) == (2, 64, 0, len(LORA))
    assert "\nThere is no file nix.safetensors here" in line.err


def test_one_that_fails_ends_with_its_code(line: Line, hubs: HubEndpoints) -> None:
    hubs.faults.add(Fault(kind="ignore_range", hub="delivery"))
    code, told = line("inspect", str(big_files.ref("civitai")))
    assert (code, told["error"], line.err.count("whole files only")) == (5, "BadAnswer", 1)


def test_people_get_a_short_table(hubs: HubEndpoints, line: Line) -> None:
    code, out = line.words("inspect", str(big_files.ref("replicate")))
    lines = out.splitlines()
    assert (code, lines[1:3]) == (0, ["is             a LoRA", "architecture   sdxl"])
    assert "rank           64" in lines
    assert "read           98.3 kB in 2 requests" in lines


def test_a_file_that_was_read_before_says_so(hubs: HubEndpoints, line: Line) -> None:
    line.run("inspect", str(big_files.ref("civitai")))
    hubs.faults.add(Fault(kind="status", status=500))
    assert "known from before" in line.words("inspect", str(big_files.ref("civitai")))[1]


def test_show_reads_the_header_and_names_the_conflict(hubs: HubEndpoints, line: Line) -> None:
    _, shown = line("show", "civitai:4128")
    assert (shown["architecture"], shown["rank"], shown["alpha"], shown["algorithm"]) == ("sdxl", 64, 32.0, "lora")
    assert (shown["raw_base_model"], shown["conflicts"]) == ("Flux.1 D", ["architecture"])
    assert shown["conflict_sentences"] == ["CivitAI says Flux.1 D, the file is SDXL."]
    assert shown["claims"][0]["source"] == shown["versions"][0]["files"][0]["claims"][0]["source"] == "header"


def test_show_goes_on_without_a_header_and_says_why(hubs: HubEndpoints, line: Line) -> None:
    hubs.faults.add(Fault(kind="ignore_range", hub="delivery"))
    code, shown = line("show", "civitai:4128")
    assert (code, shown["rank"], line.err.count("\n")) == (0, None, 1)
    assert line.err.startswith("The file's own header is not among the facts: CivitAI sends whole files only")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("civitai:1001@2001#3001", Ref),
        ("https://huggingface.co/ada/ink/blob/main/ink.safetensors", Ref),
        ("https://civitai.com/api/download/models/2001", Ref),
        ("https://files.example/ink.safetensors", str),
        ("HTTP://files.example/", str),
        ("nix.safetensors", Path),
        ("models/nix", Ref),
        ("models/nix.safetensors", Path),
        ("pyproject.toml", Path),
    ],
)
def test_a_word_means_a_ref_an_address_or_a_path(text: str, kind: type) -> None:
    assert isinstance(parse_source(text), kind)


@pytest.mark.parametrize("words", [["nonsense"], ["ftp://files.example/x"], []])
def test_a_word_that_means_nothing_is_a_usage_error(line: Line, words: list[str]) -> None:
    assert line.run("inspect", *words) == 2


def test_an_assumption_is_printed_as_one(tmp_path: Path, line: Line) -> None:
    shapes = building.lora("transformer_blocks.0..18.ff_context.net.0.proj 3072>12288", rank=1, style="diffusers")
    raw, file = raw_header(shapes, {}), tmp_path / "fox.safetensors"
    end = max(tensor.data_offsets[1] for tensor in tensors(shapes).values())
    file.write_bytes(file_of(raw, end))
    code, out = line.words("inspect", str(file))
    assert (code, out.splitlines()[-1]) == (0, "! Probably FLUX.1: the tensors also fit Chroma or HunyuanVideo.")


@pytest.fixture
def hub(home: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub(name="civitai", loras=[lora(title="ink lines", updated_at="2026-01-01T00:00:00Z")])
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: (hub,))
    return hub


def saved_long_ago(home: Path, text: str = "ink") -> None:
    home.mkdir(exist_ok=True)
    (home / "searches.json").write_text(json.dumps([["Ink", text, 1_700_000_000]]))


def test_what_is_new_is_told_once(line: Line, hub: Hub, home: Path) -> None:
    saved_long_ago(home)
    code, first = line("news")
    [told] = first["searches"]
    assert (code, told["name"], told["query"], told["since"]) == (0, "Ink", "ink", "2023-11-14T22:13:20+00:00")
    assert [record["title"] for record in told["results"]] == ["ink lines"]
    assert line("news")[1]["searches"][0]["results"] == []


def test_what_a_hub_did_not_tell_stays_new(line: Line, hub: Hub, home: Path) -> None:
    saved_long_ago(home)
    hub.error = HubDown("CivitAI is down.", hub="civitai")
    assert [each["message"] for each in line("news")[1]["searches"][0]["failures"]] == ["CivitAI is down."]
    hub.error = None
    assert len(line("news")[1]["searches"][0]["results"]) == 1


def test_offline_nothing_is_asked_and_nothing_seen(line: Line, hub: Hub, home: Path) -> None:
    saved_long_ago(home)
    assert (line("news", "--offline")[0], hub.asked) == (0, [])
    assert len(line("news")[1]["searches"][0]["results"]) == 1


@pytest.mark.parametrize("text", ["ink unheard", "base:never-listed", "rank:many"])
def test_nothing_is_new_with_fewer_words_or_in_a_wrong_search(line: Line, hub: Hub, home: Path, text: str) -> None:
    saved_long_ago(home, text)
    assert line("news")[1]["searches"][0]["results"] == []


def test_searches_are_saved_and_removed(line: Line, hub: Hub) -> None:
    assert line("news", "--save", "My ink", "ink rank:>=8")[1]["searches"][0]["query"] == "ink rank:>=8"
    assert line.words("news")[1].startswith("My ink: 0 new since just now  (ink rank:>=8)")
    assert line("news", "--remove", "My ink") == (0, {"searches": []})
    assert line("news", "--remove", "My ink")[0] == 4


def test_a_search_without_a_name_is_asked_for_one(line: Line, hub: Hub) -> None:
    code, answer = line("news", "ink wash")
    assert (code, answer["message"]) == (2, "To save that search: hub-ui news --save NAME 'ink wash'")
