"""hub-ui worker: what it refuses. tests/hub_ui/cluster runs real ones."""

from __future__ import annotations

import pytest

from hub_ui import cli


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["worker", "--address", "somewhere"], "somewhere is no address of workers"),
        (["worker", "--replicas", "3-2"], "'3-2' is no number of replicas, such as 2 or 1-8"),
        (["worker", "--replicas", "0"], "'0' is no number of replicas"),
        (["serve", "--workers", "10.0.0.5"], "10.0.0.5 is no address of workers. Write one such as 10.0.0.5:6379"),
    ],
)
def test_a_wrong_value_is_said(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    assert said in capsys.readouterr().err
