from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from connectors.errors import UsageError
from connectors.registry import Rate
from hub_ui.access.quotas import Limits
from hub_ui.commands import cli
from hub_ui.settings import LOCAL, Action, from_environment, hosted_policy


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HUB_UI_CONNECTIONS", "abc", "HUB_UI_CONNECTIONS=abc is no whole number from 1 to 16."),
        ("HUB_UI_CONNECTIONS", "0", "HUB_UI_CONNECTIONS=0 is no whole number"),
        ("HUB_UI_CONNECTIONS", "17", "HUB_UI_CONNECTIONS=17 is no whole number"),
        ("HUB_UI_READ_HEADERS", "maybe", "HUB_UI_READ_HEADERS=maybe: write 1 or 0"),
        ("HUB_UI_IMAGE_CACHE", "2 GB", "HUB_UI_IMAGE_CACHE=2?GB is no whole number of megabytes."),
        ("HF_ENDPOINT", "notaurl", "HF_ENDPOINT=notaurl is no web address. Write one such as https://huggingface.co"),
        ("CIVITAI_ENDPOINT", "ftp://civitai.com", "CIVITAI_ENDPOINT=ftp://civitai.com is no web address"),
        ("REPLICATE_ENDPOINT", "http://host:port", "REPLICATE_ENDPOINT=http://host:port is no web address"),
        ("HF_ENDPOINT", "http://[", "HF_ENDPOINT=http://[ is no web address"),
        ("HF_ENDPOINT", "http://a b\x1b", "HF_ENDPOINT=http://a?b? is no web address"),
        ("HUB_UI_DATABASE", "catalog.sqlite", "HUB_UI_DATABASE is no address of a PostgreSQL database. Write one such"),
        ("HUB_UI_DATABASE", "mysql://box/catalog", "HUB_UI_DATABASE is no address"),
        ("HUB_UI_DATABASE", "postgresql://box", "HUB_UI_DATABASE is no address"),
        ("HUB_UI_DATABASE", "postgresql://box:port/catalog", "HUB_UI_DATABASE is no address"),
        *(
            ("HUB_UI_DATABASE", address, "HUB_UI_DATABASE is no address")
            for address in ("postgresql://ada:secret@[/x", "mysql://ada:secret@box/x", "ada:secret@box")
        ),
        ("HUB_UI_RATE_CIVITAI", "0", "HUB_UI_RATE_CIVITAI=0 is no number of requests a minute."),
        ("HUB_UI_RATE_REPLICATE", "many", "HUB_UI_RATE_REPLICATE=many is no number of requests a minute."),
        ("HUB_UI_STOP_SECONDS", "-1", "HUB_UI_STOP_SECONDS=-1 is no whole number up to 9999."),
        ("HF_TOKEN", "hf_a\nb", "HF_TOKEN holds characters that no key has"),
        ("HF_TOKEN", "hf_secret\x00", "HF_TOKEN holds characters that no key has"),
        ("CIVITAI_TOKEN", "schlüssel", "CIVITAI_TOKEN holds characters that no key has"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named_and_no_secret_shown(name: str, value: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_environment({name: value})
    assert (caught.value.message[: len(said)], "secret" in caught.value.message) == (said, False)


def test_a_variable_that_nothing_reads_is_said_with_the_nearest_that_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("HUB_UI_CONECTIONS", "HUB_UI_PORT", "HUB_UI_LIMIT_STEPS"):
        monkeypatch.setenv(name, "8")
    cli.main(["verify", "--library", "/nowhere"])
    assert capsys.readouterr().err.splitlines()[:-1] == [
        "hub-ui: HUB_UI_CONECTIONS is no variable that hub-ui reads. Did you mean “HUB_UI_CONNECTIONS”?",
        "hub-ui: HUB_UI_PORT is no variable that hub-ui reads.",
    ]


def test_the_password_of_a_database_is_not_shown() -> None:
    made = from_environment({"HUB_UI_DATABASE": "postgresql://ada:secret@box:5432/catalog"})
    assert made.database == "postgresql://ada:secret@box:5432/catalog"
    assert "secret" not in repr(made)


def test_variables_are_read_and_empty_ones_are_as_good_as_none() -> None:
    environ = {
        "HUB_UI_CONNECTIONS": "8",
        "HUB_UI_READ_HEADERS": "off",
        "HF_ENDPOINT": "http://127.0.0.1:8000/",
        "HF_TOKEN": "hf_key\n",
    }
    made = from_environment(environ)
    assert (made.connections, made.read_headers, made.tokens) == (8, False, {"huggingface": "hf_key"})
    assert made.endpoints["huggingface"] == "http://127.0.0.1:8000"
    made = from_environment({"HUB_UI_CONNECTIONS": "", "HF_ENDPOINT": "", "HF_TOKEN": "", "HUB_UI_READ_HEADERS": ""})
    assert (made.connections, made.read_headers, dict(made.tokens)) == (4, True, {})
    assert made.endpoints["huggingface"] == "https://huggingface.co"


def test_a_tilde_that_no_shell_took_is_the_home() -> None:
    assert from_environment({"HUB_UI_HOME": "~/hub-ui"}).home == Path.home() / "hub-ui"
    assert cli.parse(["verify", "--library=~/loras"]).library == Path.home() / "loras"


def test_the_budget_of_images_is_the_owners_or_else_that_of_the_policy() -> None:
    assert from_environment({"HUB_UI_IMAGE_CACHE": "40"}).media_budget == 40_000_000
    assert from_environment({"HUB_UI_IMAGE_CACHE": "0"}, hosted=True).media_budget == 0
    assert from_environment({}).media_budget == 500_000_000
    assert from_environment({}, hosted=True).media_budget == 200_000_000


def test_budgets_are_of_hosted_pages_on_real_hubs_unless_they_are_named(tmp_path: Path) -> None:
    environ = {"HUB_UI_HOME": str(tmp_path), "HUB_UI_RATE_CIVITAI": "7", "HUB_UI_METRICS_TOKEN": " secret "}
    local, hosted = from_environment(environ), from_environment(environ, hosted=True)
    assert (local.rate("civitai"), local.rate("huggingface")) == (Rate(keyless=7, keyed=7), None)
    assert (hosted.rate("civitai"), hosted.rate("huggingface")) == (
        Rate(keyless=7, keyed=7),
        Rate(keyless=80, keyed=160),
    )
    assert replace(hosted, demo=True).rate("huggingface") is None
    assert "secret" not in repr(hosted)


@pytest.mark.parametrize("action", get_args(Action))
def test_a_refusal_of_each_action_says_so_of_a_shared_page(action: Action) -> None:
    with pytest.raises(UsageError, match="shared page"):
        hosted_policy(Limits()).check(action, "SDXL 1.0")
    LOCAL.check(action)
