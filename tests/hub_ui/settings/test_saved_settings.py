import os
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import UsageError
from hub_ui.settings import from_environment, saved_settings
from hub_ui.settings.saved_settings import SavedSettings, hide_password, use_proxy

PROXY = "http://ada:secret@10.0.0.1:3128"


def test_what_was_saved_is_read_at_the_next_start_after_the_environment_and_options(home: Path) -> None:
    chosen = {"proxy": PROXY, "library": "/data/loras", "endpoints": {"civitai": "https://civitai.red/"}}
    saved_settings.write(home, SavedSettings.of(chosen))
    made = from_environment({"HUB_UI_HOME": str(home)})
    assert (made.endpoints["civitai"], made.proxy, made.library) == ("https://civitai.red", PROXY, Path("/data/loras"))
    assert made.endpoints["huggingface"] == "https://huggingface.co"
    assert "secret" not in repr(made) + repr(saved_settings.read(home))
    chosen = {"library": "/data/loras", "endpoints": {"civitai": "https://civitai.red"}}
    saved_settings.write(home, SavedSettings.of(chosen))
    environ = {"HUB_UI_HOME": str(home), "CIVITAI_ENDPOINT": "http://127.0.0.1:9"}
    made = from_environment(environ, library=Path("here"))
    assert (made.endpoints["civitai"], made.library) == ("http://127.0.0.1:9", Path("here"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"endpoints": {"civitai": "civitai.red"}}, "CivitAI needs a web address, such as https://civitai.com."),
        ({"proxy": "ada:secret@10.0.0.1"}, "The proxy needs a web address, such as http://10.0.0.1:3128."),
        ({"proxy": "http://a b:secret@x"}, "The proxy needs a web address"),
        ({"library": "loras"}, "The library needs a full path"),
    ],
)
def test_what_can_not_be_used_is_refused_and_a_password_not_shown(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        SavedSettings.of(values)
    assert raised.value.message.startswith(said)
    assert "secret" not in raised.value.message


def test_what_is_usual_is_not_saved_and_a_damaged_file_is_an_error_that_names_it(home: Path) -> None:
    saved_settings.write(home, SavedSettings.of({"endpoints": {"civitai": "https://civitai.com", "x": 7}, "proxy": 3}))
    assert (home / "settings.toml").read_text() == ""
    (home / "settings.toml").write_text("proxy = ")
    with pytest.raises(UsageError, match=r"settings\.toml can't be read\. Mend it, or remove it\."):
        from_environment({"HUB_UI_HOME": str(home)})


def test_another_home_is_named_in_the_usual_one_where_the_next_start_looks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_ui.settings.saved_settings.user_data_path", lambda *names, **options: tmp_path / "usual")
    saved_settings.write(tmp_path / "usual", SavedSettings.of({"home": str(tmp_path / "other")}))
    assert from_environment({}).home == tmp_path / "other"
    assert from_environment({"HUB_UI_HOME": str(tmp_path / "third")}).home == tmp_path / "third"
    usual, other = tmp_path / "usual", str(tmp_path / "other")
    monkeypatch.setattr("hub_ui.settings.saved_settings.user_data_path", lambda *names, **options: usual)
    saved_settings.change(usual, SavedSettings.of({"home": other, "library": "/loras"}), fixed=())
    assert (saved_settings.read(usual).home, saved_settings.read(usual).library) == (other, "/loras")
    saved_settings.change(usual, SavedSettings.of({"home": str(usual)}), fixed=("library",))
    assert saved_settings.read(usual) == SavedSettings(library="/loras")


def test_a_proxy_counts_while_the_app_runs_and_never_for_this_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with use_proxy(PROXY):
        assert (os.environ["HTTPS_PROXY"], os.environ["NO_PROXY"]) == (PROXY, "localhost,127.0.0.1,::1")
    assert "HTTPS_PROXY" not in os.environ
    monkeypatch.setenv("https_proxy", "http://other:1")
    with use_proxy(PROXY):
        assert "HTTP_PROXY" not in os.environ


def test_the_page_shows_an_address_without_its_password() -> None:
    assert hide_password(PROXY) == "http://10.0.0.1:3128"
    assert hide_password("http://10.0.0.1:3128") == "http://10.0.0.1:3128"
