"""What has been made of comparisons that are not whole yet, as images on the disk.

Each comparison has a folder, named by everything that its images depend on, so that only the same one goes on with it.
"""

import shutil
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from connectors.errors import HubUiError
from hub_ui.generate.comparison import Comparison
from hub_ui.generate.lora.load import identity
from hub_ui.generate.lora_axis import Part
from hub_ui.generate.request import GenerationRequest
from hub_ui.generate.result import GenerationResult
from hub_ui.images.history import History
from hub_ui.images.provenance import library_versions

_MOST = 5


class UnfinishedComparison:
    """The parts of one comparison below `folder`, where the latest few are kept."""

    def __init__(self, folder: Path, request: GenerationRequest, comparison: Comparison) -> None:
        files = [identity(adapter) for adapter in request.adapters]
        inputs = [identity_of_image(path) for path in (request.control, request.image)]
        # Whether a base may be downloaded makes no other image.
        request = replace(request, may_fetch=False)
        said = repr((request, comparison, files, inputs, library_versions()))
        self._all, self._folder = folder, folder / sha256(said.encode()).hexdigest()[:24]

    def find(self, part: Part) -> GenerationResult | None:
        """None where it was not made, or where its images can't be read any more."""
        history = self._history(part)
        with suppress(HubUiError):
            for name in history.ids():
                return history.load(name)
        return None

    def add(self, part: Part, made: GenerationResult) -> None:
        """It goes on where nothing can be written: then all is made again after a stop."""
        with suppress(HubUiError):
            self._history(part).add(made)
        with suppress(OSError):
            others = sorted(self._all.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
            for old in others[_MOST:]:
                shutil.rmtree(old, ignore_errors=True)

    def clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _history(self, part: Part) -> History:
        return History(self._folder / str(part.columns.start))


def identity_of_image(path: Path | None) -> tuple[str, int, int] | None:
    if path is None:
        return None
    with suppress(OSError):
        stat = path.stat()
        return str(path), stat.st_mtime_ns, stat.st_size
    return str(path), 0, 0
