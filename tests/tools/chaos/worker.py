"""The process that is killed: Services and its queue on the local hubs, as in the app, and no page."""

import logging
import multiprocessing
import os
import threading
from collections.abc import Mapping, Sequence

from huggingface_hub import constants

from connectors.ref import Ref
from hub_ui import settings
from hub_ui.app import services


def work(environ: Mapping[str, str], folders: Mapping[str, str], wanted: Sequence[Ref]) -> None:
    """Adds what is wanted and has no task yet, and ends once nothing is left to do."""
    logging.basicConfig(filename=folders["log"], level=logging.WARNING, force=True)
    threading.excepthook = _logged
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    constants.HF_HUB_CACHE = folders["cache"]
    with services.build(settings.from_environment(environ)) as built:
        built.queue.start()
        there = {task.ref for task in built.queue.tasks()}
        for ref in wanted:
            if ref not in there:
                built.queue.add(ref)
        for task in built.queue.tasks():
            built.queue.wait(task.id)


def _logged(fault: threading.ExceptHookArgs) -> None:
    if fault.exc_value is not None:
        logging.error("A thread ended by itself.", exc_info=fault.exc_value)


def _end_with_the_run() -> None:
    """The hubs end with it, and nobody else would end this process."""
    run = multiprocessing.parent_process()
    if run is not None:
        run.join()
        os._exit(1)
