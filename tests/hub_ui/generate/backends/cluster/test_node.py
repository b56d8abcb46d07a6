"""The token of a cluster: where it is, who makes it, and what is said where there is none; and the start of Ray."""

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.errors import HubUiError, UsageError
from hub_ui.generate.backends.cluster.node import NodeOptions, find_token, running_node

ADDRESS = "10.0.0.5:6379"


@pytest.fixture(autouse=True)
def usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Ray looks for a token, in a home of this test's own."""
    monkeypatch.setenv("USERPROFILE" if sys.platform == "win32" else "HOME", str(tmp_path))
    return tmp_path / ".ray" / "auth_token"


def test_the_first_worker_makes_a_token_for_its_owner_alone(usual: Path) -> None:
    token = find_token(ADDRESS, make=True)
    assert (len(token), usual.read_text()) == (64, token)
    assert os.name == "nt" or stat.S_IMODE(usual.stat().st_mode) == 0o600


def test_a_token_that_is_there_is_kept_and_closed_to_others(usual: Path) -> None:
    usual.parent.mkdir()
    usual.write_text("of-another-worker\n")
    usual.chmod(0o644)
    assert find_token(ADDRESS, make=True) == "of-another-worker"
    assert os.name == "nt" or stat.S_IMODE(usual.stat().st_mode) == 0o600


def test_who_joins_makes_none_and_an_empty_file_is_no_token(usual: Path) -> None:
    with pytest.raises(UsageError, match=r"Copy ~/\.ray/auth_token from the first worker to this computer"):
        find_token(ADDRESS, make=False)
    assert not usual.exists()
    usual.parent.mkdir()
    usual.touch()
    with pytest.raises(UsageError, match="asks for its token"):
        find_token(ADDRESS, make=False)
    assert len(find_token(ADDRESS, make=True)) == 64


def test_a_file_and_a_token_of_the_environment_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "secrets" / "token"))
    token = find_token(ADDRESS, make=True)
    path = tmp_path / "secrets" / "token"
    assert (token, os.name == "nt" or stat.S_IMODE(path.stat().st_mode)) == (path.read_text(), 0o600)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "given")
    assert find_token(ADDRESS, make=False) == "given"


def test_a_token_that_cannot_be_kept_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "file" / "token"))
    with pytest.raises(UsageError, match="Name another file with RAY_AUTH_TOKEN_PATH"):
        find_token(ADDRESS, make=True)


def test_workers_without_a_token_are_refused(usual: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(UsageError, match="anybody in the network could run programs on this computer"):
        find_token(ADDRESS, make=True)
    assert not usual.exists()


@dataclass(frozen=True, kw_only=True)
class Program(NodeOptions):
    """Python in place of Ray."""

    source: str

    def command(self) -> list[str]:
        return [sys.executable, "-c", self.source]


def test_ray_is_started_again_where_it_was_too_slow_and_not_where_it_failed(tmp_path: Path) -> None:
    # Too slow at first, then it fails, since the folder is there.
    source = f"import os, sys; os.mkdir({str(tmp_path / 'made')!r}); sys.exit('A process timed out during startup.')"
    with pytest.raises(HubUiError, match="FileExistsError"), running_node(Program(port=9, source=source)):
        pass
