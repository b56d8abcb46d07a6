"""hub-ui worker: what it refuses. tests/hub_ui/generate/backends/cluster runs real ones."""

from contextlib import AbstractContextManager

import pytest

from connectors.errors import HubUiError
from hub_ui.commands import cli, worker
from hub_ui.generate.backends.cluster.node import NodeOptions
from tests.hub_ui.library.shared_hubs import Line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["worker", "--address", "somewhere"], "somewhere is no address of workers"),
        (["worker", "--replicas", "3-2"], "'3-2' is no number of replicas, such as 2 or 1-8"),
        (["worker", "--replicas", "0"], "'0' is no number of replicas"),
        (["serve", "--workers", "10.0.0.5"], "10.0.0.5 is no address of workers. Write one such as 10.0.0.5:6379"),
    ],
)
def test_a_wrong_value_is_said(arguments: list[str], said: str, line: Line) -> None:
    assert line.run(*arguments) == 2
    assert said in line.err


@pytest.mark.parametrize(("arguments", "host"), [([], "127.0.0.1"), (["--address", "10.0.0.5:6379"], None)])
def test_a_first_worker_is_for_this_computer_alone_and_one_that_joins_is_where_its_cluster_reaches_it(
    arguments: list[str], host: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = list[NodeOptions]()

    def start(options: NodeOptions) -> AbstractContextManager[str]:
        started.append(options)
        raise HubUiError("That is enough.")

    monkeypatch.setattr(worker, "running_node", start)
    assert cli.main(["worker", "--port", "0", *arguments]) == 1
    assert [options.host for options in started] == [host]
