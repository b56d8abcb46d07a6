"""What is logged of a hosted page: each request with an id, and nothing that is a person's own."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from hub_ui.logs import logging_to
from hub_ui.web.middleware import visible_path
from tests.hub_ui.hosting.private_data import ADA, PRIVATE, SECRET, write_private_data
from tests.hub_ui.web.raw import Visitor, served
from tests.hub_ui.web.test_visitors import hear_all, with_keys

PROMPT = "a boat"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    home = tmp_path_factory.mktemp("logs")
    with served(home, hosted=True, data=write_private_data(home)) as visitor:
        yield visitor


def test_a_run_at_debug_logs_no_key_prompt_person_or_private_lora(page: Visitor) -> None:
    stream = io.StringIO()
    with logging_to(stream, "json", logging.DEBUG):
        ada = with_keys(page, ADA)
        assert SECRET in hear_all(ada, str(PRIVATE["replicate"]))
    cookie = ada.headers["Cookie"].partition("=")[2]
    forbidden = (*ADA.values(), SECRET, PROMPT, cookie)
    assert [word for word in forbidden if word in stream.getvalue()] == []
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    requests = {line["request"] for line in lines if line["logger"] == "hub_ui.web.middleware"}
    looked = [line for line in lines if line["logger"] == "hub_ui.lookup"]
    assert looked
    # The line of a search or an opened LoRA leads to the request that asked for it.
    assert {line["request"] for line in looked} <= requests


def test_each_answer_names_its_request_and_no_request_names_itself(page: Visitor) -> None:
    first, second = (page.get("config", params={"x": number}) for number in range(2))
    assert len({first.headers["X-Request-ID"], second.headers["X-Request-ID"]}) == 2


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "/"),
        ("/gradio_api/queue/join", "/gradio_api/queue/join"),
        ("/gradio_api/file=/tmp/me/picture.png", "/gradio_api/file"),
        ("/gradio_api/call/generate/8f0a9c", "/gradio_api/call/generate"),
        ("/hub-images/aB3xyz", "/hub-images"),
        ("/assets/index-9x.js", "/assets"),
    ],
)
def test_a_path_is_shown_as_far_as_it_is_the_programs_own(path: str, shown: str) -> None:
    assert visible_path(path) == shown
