import io
import json
import logging
import sys
from typing import Any

import pytest

from connectors.errors import UsageError
from hub_ui.base.logs import LogFormat, hide, logging_to, read_log_format, read_log_level, use_request_id

_LOG = logging.getLogger("hub_ui.test")


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_the_request_and_known_fields() -> None:
    stream = io.StringIO()
    with logging_to(stream, "json", logging.INFO), use_request_id("ab12"):
        _LOG.info("a search", extra={"hub": "civitai", "seconds": 0.25, "prompt": "a robot"})
        _LOG.debug("not this")
    [line] = lines(stream)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "hub_ui.test",
        "message": "a search",
        "request": "ab12",
        "hub": "civitai",
        "seconds": 0.25,
    }


def test_text_is_for_people_and_an_unknown_form_or_level_is_a_usage_error() -> None:
    stream = io.StringIO()
    with logging_to(stream, "text", logging.INFO):
        _LOG.info("a search", extra={"hub": "civitai"})
    assert stream.getvalue().endswith(" INFO hub_ui.test: a search hub=civitai\n")
    with pytest.raises(UsageError, match="“xml” is no form of logs"):
        read_log_format({}, "xml")
    with pytest.raises(UsageError, match="HUB_UI_LOG_LEVEL='loud' is none of debug, info, warning, error"):
        read_log_level({"HUB_UI_LOG_LEVEL": "loud"}, "text")
    assert (read_log_level({}, "text"), read_log_level({}, "json")) == (logging.WARNING, logging.INFO)


def test_a_fault_says_where_it_happened_and_not_what_with() -> None:
    stream = io.StringIO()
    with logging_to(stream, "json", logging.INFO):
        try:
            raise ValueError("prompt: a robot on a hill")
        except ValueError:
            _LOG.exception("It failed")
    assert "robot" not in stream.getvalue()
    assert (lines(stream)[0]["error"], lines(stream)[0]["traceback"][0].split()[-1]) == (
        "ValueError",
        "test_a_fault_says_where_it_happened_and_not_what_with",
    )


def test_what_is_printed_becomes_lines_of_the_log() -> None:
    stream = io.StringIO()
    with logging_to(stream, "json", logging.INFO):
        print("Traceback\n  at hf_abcdefgh", file=sys.stderr)
        print("half a line", end="", file=sys.stderr)
    assert [(line["logger"], line["message"]) for line in lines(stream)] == [
        ("stderr", "Traceback"),
        ("stderr", "  at [key]"),
    ]


def test_other_packages_begin_at_warnings() -> None:
    stream = io.StringIO()
    with logging_to(stream, "json", logging.DEBUG):
        logging.getLogger("urllib3").debug("GET /secret")
        logging.getLogger("urllib3").warning("Retrying")
        _LOG.debug("shown")
    assert [line["message"] for line in lines(stream)] == ["Retrying", "shown"]


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("hf_AbCdEfGhIjKl of me", "[key] of me"),
        ("r8_AbCdEfGhIjKl", "[key]"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: [key]"),
        ("key 0123456789abcdef0123456789abcdef!", "key [key]!"),
        ("Cookie=hub-ui-visitor", "Cookie=[key]"),
        ("at https://cdn.hub.org/a/b.bin?sig=1 it broke", "at https://cdn.hub.org/[…] it broke"),
        ("http://me:secret@host/x", "http://[key]@host/[…]"),
        ("huggingface:me/private@abc#x.safetensors failed", "huggingface:[…] failed"),
        ("plain words", "plain words"),
        ("x" * 3000, "x" * 2000),
    ],
)
def test_keys_addresses_and_refs_are_not_in_a_log(text: str, hidden: str) -> None:
    assert hide(text) == hidden


@pytest.mark.parametrize(
    ("variable", "chosen", "form"),
    [("", None, "text"), ("json", None, "json"), ("json", "text", "text"), ("", "JSON", "json")],
)
def test_the_form_is_the_options_else_the_variables(variable: str, chosen: str | None, form: LogFormat) -> None:
    assert read_log_format({"HUB_UI_LOG": variable}, chosen) == form
