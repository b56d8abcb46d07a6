"""A shared page by raw HTTP: every event of it has a decision, and none of them reaches what is the owner's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import AccessError, UsageError
from connectors.query import Query
from connectors.ref import Ref
from hub_ui.generate import comparison
from hub_ui.generate.request import GenerationRequest
from hub_ui.settings import from_environment
from tests.connectors.raw_server import raw_server
from tests.hub_ui.web.raw import Visitor, served
from tests.recording import Recorder

KEYS = {"huggingface": "hf_member", "civitai": "civ_buyer", "replicate": "r8_owner"}
# Only the owner's keys open these.
CLOSED = ("huggingface:maker/closed", "civitai:1001@2002#3003")
# What each event of a shared page may do. An event that is new needs a decision here, and a refusal where it could
# write, read a path, spend money, or show what others do.
SEARCHES = {
    "state.change > state", "facets.act > state", "facets.act > nothing", "sentence.act > state", "demo.act > state",
    "demo.act > nothing", "sentence.act > nothing", "search.submit > state", "search.submit > nothing",
    "sort.input > state", "grid.act > state", "sort.input > nothing", "page.then > state",
    "completion.act > completion", "intro.act > state", "intro.act > nothing", "more.act > state",
    "saved.act > state", "saved.act > nothing",
}  # fmt: skip
OPENS = {"state.change > panel", "panel.act > state"}
# A visitor's own library: what it lists for them alone, in memory. Its event updates settings and saved searches too.
OWN_LIBRARY = {"state.change > visit", "visit.act > visit", "visit.act > state", "panel.act > panel"}
CHANGES_ITS_OWN_VIEW = {
    "nav.act > state", "hubs.act > state", "drawer.act > state", "page.load > state", "state.change > nav",
    "page.then > nothing", "page.failure > nothing",
    "stack.act > state", "chips.act > state", "tabs.act > state", "pair.act > pair",
    "dice.click > Seed", "base-choice.input > state", "state.change state.change > stack",
    "generation.change > nothing", "make.click > said", "make.click > state", "question.act > question",
    "drop.upload > state", "drop.upload > dropped", "dropped.act > state", "dropped.act > nothing",
    "From.input To.input Images.input > weights-of",
    "weights-of.blur weights-of.submit > From",
}  # fmt: skip
ESTIMATES = {
    "state.change state.change Steps.input Guidance.input place.input quality.input Strength.input Seed.change"
    " Size.change rows.change weights-of.change Clip weight.change Block weights.change start.change > estimate",
}  # fmt: skip
# Within policy.py's bounds, without keys, on the bases of the list.
GENERATES = {"state.change > progress", "page.success > progress", "make.click > progress", "pair.act > progress"}
# How the page looks, and which images it shows; the rest is refused.
SETTINGS = {"settings.act > settings"}
STOPS_ITS_OWN = {"stop.click > progress", "stop.click > nothing"}
# Named endpoints: they show what hubs have, and generate within the same bounds.
ENDPOINTS = {"search > 1st", "show > 1st", "inspect > 1st", "try > 1st"}
DECIDED = (
    OWN_LIBRARY | ENDPOINTS | SETTINGS | SEARCHES | OPENS | CHANGES_ITS_OWN_VIEW | ESTIMATES | GENERATES | STOPS_ITS_OWN
)
# Of every page of hub-ui, and some of none.
ACTS = (
    "pull", "fetch", "update", "remove-now", "reveal", "verify", "outdated", "import", "take", "again", "follow",
    "cancel", "pause-all", "clear", "clear-images", "nsfw", "shown", "retry", "try", "example", "more", "nonsense",
    "note", "favorite", "add-tag", "weight", "base_model", "reset", "bulk", "menu", "select-found",
    "save-search", "open-search", "remove-search", "add", "drop",
)  # fmt: skip


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, recorder: Recorder) -> Iterator[Visitor]:
    """A shared page whose owner has a key for each hub."""
    with served(tmp_path_factory.mktemp("keyed"), hosted=True, around=recorder.around, tokens=KEYS) as visitor:
        yield visitor


def test_every_event_of_a_shared_page_has_a_decision(hosted: Visitor) -> None:
    assert {event.what for event in hosted.events()} - DECIDED == set()


def test_what_only_its_owner_may_do_is_not_there_at_all(hosted: Visitor) -> None:
    parts = {str(part["props"].get("elem_id")) for part in hosted.config()["components"]}
    assert parts & {"shelf", "import", "train-form", "train-pictures", "train-start", "train-list"} == set()


def test_whatever_a_visitor_asks_for_nothing_of_the_owner_is_touched(keyed: Visitor, recorder: Recorder) -> None:
    keyed.look_at(f"?view=try&lora={CLOSED[0]}&lora={CLOSED[1]}&on=/etc&place=replicate".replace("#", "%23"))
    recorder.forget()
    for event in keyed.events():
        for act in ACTS if event.name.endswith(".act") else ("",):
            for ref in CLOSED:
                keyed.ask(event.number, [None] * len(event.inputs), {"act": act, "ref": ref, "id": "1"})
    assert [request.target for request in recorder.requests if _has_key(request.text)] == []
    assert [request.target for request in recorder.requests if request.method not in ("GET", "HEAD")] == []
    assert (keyed.services.library.entries(), keyed.services.history.entries()) == ((), [])


def _has_key(text: str) -> bool:
    return any(key in text for key in KEYS.values()) or "authorization" in text.lower()


def test_no_address_that_a_visitor_names_is_asked(hosted: Visitor) -> None:
    with raw_server(lambda: iter([b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"])) as canary:
        for url in (
            f"{canary.url}/x.safetensors",
            f"{canary.url}/api/models/a/b",
            f"http://huggingface.co@{canary.url[7:]}",
        ):
            for name, data in {"search": [url], "show": [url], "inspect": [url], "try": [[url], url]}.items():
                event = hosted.post(f"gradio_api/call/{name}", json={"data": data}).json()
                assert "error" in hosted.get(f"gradio_api/call/{name}/{event['event_id']}").text or name == "search"
            for event_ in hosted.events():
                for act in ("search", "open", "try", "stack", "go") if event_.name.endswith(".act") else ():
                    hosted.ask(event_.number, [None] * len(event_.inputs), {"act": act, "ref": url, "query": url})
        assert canary.sent == 0


def test_a_search_for_visitors_uses_no_key(keyed: Visitor, recorder: Recorder) -> None:
    recorder.forget()
    answers = {answer.hub: answer for answer in keyed.services.lookup.search(Query())}
    assert [request for request in recorder.requests if _has_key(request.text)] == []
    error = answers["replicate"].error
    assert isinstance(error, AccessError)
    assert error.message.startswith("Replicate gives this only to people with a key. Add yours for this visit")


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("huggingface:maker/closed", "with a key of your own"),
        ("replicate:maker/tuned", "Add yours for this visit under Settings."),
        ("civitai:1001@2002#3003", "is not free yet"),
    ],
)
def test_what_only_a_key_opens_is_refused_without_talk_of_the_owners(keyed: Visitor, ref: str, said: str) -> None:
    with pytest.raises(AccessError) as raised:
        keyed.services.downloads.pull(Ref.parse(ref))
    assert (said in raised.value.message, "your key" in raised.value.message) == (True, False)


def test_an_estimate_on_replicate_is_refused(keyed: Visitor, recorder: Recorder) -> None:
    recorder.forget()
    job = GenerationRequest(adapters=(), prompt="a boat")
    with pytest.raises(UsageError, match="generates on its own computer only"):
        keyed.services.generation.estimate(job, comparison.single(job), place="replicate")
    assert recorder.requests == ()


def test_settings_of_a_shared_page_hold_no_key_and_a_home_of_their_own(home: Path) -> None:
    environ = {"HUB_UI_HOME": str(home), "HF_TOKEN": "hf_x", "CIVITAI_TOKEN": "civ_x", "REPLICATE_API_TOKEN": "r8_x"}
    shared = from_environment(environ, hosted=True)
    assert (dict(shared.tokens), shared.home, shared.library) == ({}, home / "hosted", home / "hosted" / "loras")


def test_a_page_that_is_closed_says_so(hosted: Visitor) -> None:
    texts = [str(part["props"].get("value")) for part in hosted.config()["components"]]
    assert any("A shared page trains nothing." in text for text in texts)


def test_nobody_is_told_of_the_owners_keys_or_folders(keyed: Visitor) -> None:
    page = keyed.get("config").text
    secrets = (*KEYS.values(), "HF_TOKEN", "your key", str(keyed.services.settings.home), str(Path.home()))
    assert [word for word in secrets if word in page] == []


def test_files_of_this_computer_are_not_known_to_visitors(hosted: Visitor) -> None:
    ref = Ref.parse(f"local:ink@{'a' * 64}")
    for ask in (hosted.services.lookup.get, hosted.services.downloads.pull, hosted.services.lookup.record):
        with pytest.raises(UsageError, match="A shared page tries what hubs have"):
            ask(ref)


def given(**fields: Any) -> GenerationRequest:
    return GenerationRequest(adapters=(), prompt="a boat", **fields)


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (given(steps=500), "at most 60 steps at once, not 500"),
        (given(width=4096, height=64), "at most 1,536 pixels a side at once, not 4,096"),
        (given(frames=257), "at most 33 frames at once, not 257"),
        (given(base="/etc"), "A shared page generates with the bases of its list."),
    ],
)
def test_a_visitor_asks_for_no_more_than_the_bounds(keyed: Visitor, job: GenerationRequest, said: str) -> None:
    for ask in (keyed.services.generation.generate, keyed.services.generation.estimate):
        with pytest.raises(UsageError, match=said):
            ask(job, comparison.single(job))


def test_a_visitor_tries_at_most_four_loras_at_once(keyed: Visitor) -> None:
    refs = [Ref.parse(f"civitai:{number}") for number in range(1, 6)]
    with pytest.raises(UsageError, match="at most 4 LoRAs at once, not 5"):
        keyed.services.generation.inputs(refs)
    with pytest.raises(UsageError, match="at most 4 LoRAs at once, not 5"):
        keyed.services.generation.plan(refs, prompt="")
