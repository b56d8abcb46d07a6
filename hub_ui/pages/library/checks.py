"""The two long checks of the Library page: every file's bytes, and every hub's newest versions."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from connectors.record import Lora
from connectors.ref import Ref
from hub_ui import format
from hub_ui.i18n import _
from hub_ui.library.outdated import check_for_updates
from hub_ui.library.sync import FileCheck, check_all, foreign
from hub_ui.pages.events import run_in_thread
from hub_ui.pages.library.update_status import CheckResults, update_summary, verify_summary
from hub_ui.services import Services
from hub_ui.widgets import result
from hub_ui.widgets.render import Renderer

_SECONDS_BETWEEN_STEPS = 0.2


@dataclass(frozen=True, kw_only=True)
class CheckStep:
    """How far a check is, as HTML; with `found` it has ended."""

    progress: str
    found: CheckResults | None = None


def verify_files(services: Services, render: Renderer, found: CheckResults) -> Iterator[CheckStep]:
    """Hashes every file again."""
    total = len(services.library.entries())

    def work(on_progress: Callable[[Any], None], _is_cancelled: Callable[[], bool]) -> tuple[FileCheck, ...]:
        return check_all(services.library, lambda done, checked: on_progress((done, checked)))

    yield CheckStep(progress=result.progress_html(render, _("Verifying…"), None))
    steps, last = run_in_thread(work), 0.0
    while True:
        try:
            done, checked = next(steps)
        except StopIteration as end:
            results: tuple[FileCheck, ...] = end.value
            break
        if time.monotonic() - last >= _SECONDS_BETWEEN_STEPS:
            last = time.monotonic()
            line = _("Verified {done} of {total}: {title}").format(
                done=format.number(done), total=format.number(total), title=format.visible(checked.entry.title)
            )
            yield CheckStep(progress=result.progress_html(render, line, done / total))
    strangers = foreign(services.library)
    by_ref = {checked.entry.ref: checked for checked in results}
    said = verify_summary(results, strangers)
    yield CheckStep(progress="", found=replace(found, checked=by_ref, foreign=strangers, said=said))


def check_updates(services: Services, render: Renderer, found: CheckResults) -> Iterator[CheckStep]:
    """Asks every hub for newer versions of the library's files."""
    entries, by_ref, last = services.library.entries(), {}, 0.0

    def get(ref: Ref) -> Lora:
        lora = services.lookup.connector(ref.hub).get(ref)
        services.catalog.add([lora])
        return lora

    yield CheckStep(progress=result.progress_html(render, _("Asking the hubs…"), None))
    for number, standing in enumerate(check_for_updates(entries, get, services.update_rules.all()), 1):
        by_ref[standing.entry.ref] = standing
        if time.monotonic() - last >= _SECONDS_BETWEEN_STEPS:
            last = time.monotonic()
            line = _("Asked about {done} of {total}: {title}").format(
                done=format.number(number),
                total=format.number(len(entries)),
                title=format.visible(standing.entry.title),
            )
            yield CheckStep(progress=result.progress_html(render, line, number / len(entries)))
    yield CheckStep(progress="", found=replace(found, standing=by_ref, said=update_summary(by_ref.values())))
