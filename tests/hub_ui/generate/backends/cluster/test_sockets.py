"""Nobody without the token runs anything where Ray listens for other computers, too; test_cluster.py has the rest."""

import sys
from pathlib import Path

import pytest

from tests.hub_ui.generate.backends.cluster.sockets import answers_without_token, free_port, runs, sockets_of_processes
from tests.tools.benchmarks.bench_cluster import LORAS, running_cluster

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not LORAS, reason="the demo's weights are not trained yet"),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8"),
]


def test_no_socket_of_a_worker_for_other_computers_answers_without_the_token(tmp_path: Path) -> None:
    """At this address Ray listens as it does for other computers, and it is this computer all the same."""
    host = "127.0.0.2"
    with running_cluster(tmp_path, free_port(), host=host, replicas=1):
        sockets = sockets_of_processes(host)
        assert (len(sockets) >= 8, runs(sockets, tmp_path), answers_without_token(sockets)) == (True, False, {})
