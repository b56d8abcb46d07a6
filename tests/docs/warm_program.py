"""`hub-ui` for many command lines in a row: one process imports the program once and forks for each of them.

`python -m tests.docs.warm_program SOCKET` is that process. The program that stands in the PATH hands it the words, the
folder, the environment and its three streams, and ends with the exit code.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import hub_ui.commands
from hub_ui.__main__ import main
from tests.programs import ROOT, started

# What commands import when they run.
LATER = ("hub_ui.web.app", "hub_ui.generate.engine", "torch", "diffusers", "transformers", "peft")
PROGRAM = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as asking:
    asking.connect({address!r})
    told = json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(asking, [len(told).to_bytes(8, "big")], [0, 1, 2])
    asking.sendall(told)
    sys.exit(asking.recv(1)[0])
"""


@contextmanager
def warm_program(environment: Mapping[str, str]) -> Iterator[str]:
    """The text of a program that does what `hub-ui` does. What libraries read at their import is of `environment`."""
    with TemporaryDirectory(prefix="warm-") as folder:
        address = str(Path(folder) / "socket")
        command = [sys.executable, "-m", __name__, address]
        with started(*command, cwd=ROOT, env=environment) as (line, _process):
            assert line == "ready\n"
            yield PROGRAM.format(python=sys.executable, address=address)


def import_all() -> None:
    for module in pkgutil.walk_packages(hub_ui.commands.__path__, "hub_ui.commands."):
        importlib.import_module(module.name)
    for name in LATER:
        importlib.import_module(name)


def answer(asking: socket.socket) -> None:
    """Returns in the process that is to run the program; the one that waits for it ends here."""
    head, streams, _, _ = socket.recv_fds(asking, 8, 3)
    with asking.makefile("rb") as file:
        words, folder, variables = json.loads(file.read(int.from_bytes(head, "big")))
    if pid := os.fork():
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        asking.sendall(bytes([code if code >= 0 else 128 - code]))
        os._exit(0)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.argv = words
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)


def serve(address: str) -> None:
    """Returns in each process that is to run the program."""
    import_all()
    gc.freeze()
    running = set[int]()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)
        while True:
            asking, _ = listening.accept()
            with asking:
                running.add(pid := os.fork())
                if pid == 0:
                    return answer(asking)
            running -= {each for each in running if os.waitpid(each, os.WNOHANG)[0]}


if __name__ == "__main__":
    serve(sys.argv[1])
    code = main()
    # Without taking apart all that was imported, which takes longer than most commands.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code)
