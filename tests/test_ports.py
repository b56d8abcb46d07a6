import os

from gradio import http_server


def test_each_process_of_a_run_looks_for_free_ports_of_its_own() -> None:
    first = http_server.INITIAL_PORT_VALUE
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw-1")
    assert first == 7960 + 100 * int(worker.removeprefix("gw"))
