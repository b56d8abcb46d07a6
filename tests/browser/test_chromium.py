from pathlib import Path

import pytest

from tests.browser import chromium


def test_a_browser_named_in_the_environment_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_UI_CHROMIUM", "/opt/chrome")
    assert chromium.chromium() == Path("/opt/chrome")


def test_one_that_does_not_start_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HUB_UI_CHROMIUM", raising=False)
    monkeypatch.setattr(chromium, "_present", lambda: iter([Path("/broken"), Path("/good")]))
    monkeypatch.setattr(chromium, "_starts", lambda path: path == Path("/good"))
    assert chromium.chromium() == Path("/good")


def test_what_is_not_there_is_downloaded_before_the_package_manager_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    monkeypatch.delenv("HUB_UI_CHROMIUM", raising=False)
    monkeypatch.setattr(chromium, "_present", lambda: iter([]))
    monkeypatch.setattr(chromium, "_ran", lambda command, seconds: tried.append(command[-2]))
    with pytest.raises(chromium.NoChromium, match="HUB_UI_CHROMIUM"):
        chromium.chromium()
    assert tried == ["install", "--quiet", "--no-install-recommends"]
