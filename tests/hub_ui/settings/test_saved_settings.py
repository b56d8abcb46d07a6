"""Settings that were saved; keys with keyring's own interface, and without a keyring."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import null
from keyring.errors import KeyringLocked, PasswordDeleteError

from connectors.errors import HubUiError, UsageError
from hub_ui.settings import from_environment, saved_settings
from hub_ui.settings.saved_settings import Keys, SavedSettings, hide_password, use_proxy
from tests.programs import python

PROXY = "http://ada:secret@10.0.0.1:3128"


def test_what_was_saved_is_read_at_the_next_start_after_the_environment_and_options(home: Path) -> None:
    chosen = {"proxy": PROXY, "library": "/data/loras", "endpoints": {"civitai": "https://civitai.red/"}}
    saved_settings.write(home, SavedSettings.of(chosen))
    made = from_environment({"HUB_UI_HOME": str(home)})
    assert (made.endpoints["civitai"], made.proxy, made.library) == ("https://civitai.red", PROXY, Path("/data/loras"))
    assert made.endpoints["huggingface"] == "https://huggingface.co"
    assert "secret" not in repr(made) + repr(saved_settings.read(home))
    saved_settings.write(home, SavedSettings.of({**chosen, "proxy": ""}))
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


def test_the_next_start_finds_another_home_by_the_usual_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual, other = tmp_path / "usual", str(tmp_path / "other")
    monkeypatch.setattr("hub_ui.settings.saved_settings.user_data_path", lambda *names, **options: usual)
    saved_settings.write(usual, SavedSettings.of({"home": other}))
    assert from_environment({}).home == Path(other)
    assert from_environment({"HUB_UI_HOME": str(tmp_path / "third")}).home == tmp_path / "third"
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


KEY = "hf_0123456789"


class MemoryKeyring(KeyringBackend):
    """A system's keyring, as far as hub-ui can tell."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}
        self.is_locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.is_locked:
            raise KeyringLocked("locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.get_password(service, username)
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.get_password(service, username) is None:
            raise PasswordDeleteError("not there")
        del self.kept[service, username]


@pytest.fixture
def system() -> Iterator[MemoryKeyring]:
    before, backend = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


@pytest.fixture
def keys(home: Path) -> Keys:
    return Keys({}, home / "keys.json")


def files(home: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in home.rglob("*") if path.is_file()}


def test_a_key_is_in_the_keyring_and_the_file_says_that_it_is(keys: Keys, system: MemoryKeyring, home: Path) -> None:
    keys.put("huggingface", f" {KEY}\n")
    assert (keys["huggingface"], keys.place("huggingface")) == (KEY, "keyring")
    assert files(home) == {"keys.json": '{"huggingface": null}'}
    assert system.kept == {("hub-ui", "huggingface"): KEY}
    keys.put("huggingface", KEY)
    assert dict(Keys({}, home / "keys.json")) == {"huggingface": KEY}


def test_a_key_that_another_process_keeps_counts_at_once(keys: Keys, home: Path) -> None:
    assert dict(keys) == {}
    Keys({}, home / "keys.json", has_keyring=False).put("civitai", "civ_1")
    assert dict(keys) == {"civitai": "civ_1"}


@pytest.mark.skipif(os.name != "posix", reason="the mode of a file means nothing here")
def test_without_a_keyring_a_file_for_its_owner_alone_has_it(home: Path) -> None:
    keys = Keys({}, home / "keys.json", has_keyring=False)
    keys.put("civitai", "civ_1")
    assert (keys["civitai"], keys.place("civitai"), list(keys), len(keys)) == ("civ_1", "file", ["civitai"], 1)
    assert stat.S_IMODE((home / "keys.json").stat().st_mode) == 0o600
    assert list(files(home)) == ["keys.json"]


def test_a_keyring_that_keeps_nothing_is_none(keys: Keys, system: MemoryKeyring) -> None:
    keyring.set_keyring(null.Keyring())  # type: ignore[no-untyped-call]
    keys.put("civitai", "civ_1")
    assert (keys["civitai"], keys.place("civitai")) == ("civ_1", "file")


def test_a_locked_keyring_gives_no_key_and_takes_none(keys: Keys, system: MemoryKeyring, home: Path) -> None:
    keys.put("civitai", "civ_1")
    system.is_locked = True
    again = Keys({}, home / "keys.json")
    assert (dict(again), again.place("civitai")) == ({}, "keyring")
    again.put("civitai", "civ_2")
    assert (again["civitai"], again.place("civitai")) == ("civ_2", "file")


@pytest.mark.parametrize("has_keyring", [True, False])
def test_a_key_that_is_removed_is_nowhere(system: MemoryKeyring, home: Path, has_keyring: bool) -> None:
    keys = Keys({}, home / "keys.json", has_keyring=has_keyring)
    keys.put("replicate", "r8_1")
    keys.remove("replicate")
    assert (dict(keys), keys.place("replicate"), system.kept) == ({}, None, {})
    assert files(home) == {"keys.json": "{}"}


def test_the_environments_key_comes_first_and_is_not_replaced(home: Path) -> None:
    keys = Keys({"civitai": "civ_env"}, home / "keys.json", has_keyring=False)
    with pytest.raises(UsageError, match="CIVITAI_TOKEN is set, and comes first"):
        keys.put("civitai", "civ_1")
    assert (keys["civitai"], keys.place("civitai"), files(home) if home.exists() else {}) == ("civ_env", "given", {})


@pytest.mark.parametrize("text", ["", "  ", "a b", "schlüssel", "a\x00", "k" * 1001])
def test_what_can_be_no_key_is_refused_unseen(keys: Keys, text: str) -> None:
    with pytest.raises(UsageError) as raised:
        keys.put("civitai", text)
    assert not text.strip() or text not in raised.value.message


def test_a_key_that_can_not_be_kept_is_in_no_message(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file in the place of the folder")
    keys = Keys({}, tmp_path / "home" / "keys.json", has_keyring=False)
    with pytest.raises(HubUiError) as raised:
        keys.put("civitai", KEY)
    assert KEY not in repr(raised.value) + str(raised.value.__cause__) + repr(keys)


@pytest.mark.parametrize("text", ["", "{", "[]", "[7]", "null", '{"civitai": 7}', '{"nobody": "x"}'])
def test_a_damaged_file_is_as_if_there_were_none(keys: Keys, home: Path, text: str) -> None:
    home.mkdir()
    (home / "keys.json").write_text(text)
    assert dict(keys) == {}


def test_the_keyring_is_loaded_only_where_it_has_something(home: Path) -> None:
    """Its import takes a third of a second, which every command would pay."""
    code = (
        "import os, sys; from hub_ui import settings; "
        "assert dict(settings.from_environment(os.environ).tokens) == {}; assert 'keyring' not in sys.modules"
    )
    python("-c", code, HUB_UI_HOME=str(home))
