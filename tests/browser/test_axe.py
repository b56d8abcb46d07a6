from pathlib import Path

import pytest

from tests.browser import axe


def test_without_npm_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(axe, "SCRIPT", tmp_path / "axe.min.js")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert axe.main() == 1
    said = "The browser tests need npm, to install axe-core. Install Node.js 20 or newer, which has it.\n"
    assert capsys.readouterr().err == said
