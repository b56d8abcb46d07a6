from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from connectors.errors import NeedsFetching, UsageError
from hub_ui.pages import making
from hub_ui.pages.form import Filled
from hub_ui.pages.making import Order
from hub_ui.pages.view import Stacked, View
from hub_ui.pages.wish import Wish
from hub_ui.preview.job import Adapter, Job, Made, Step
from hub_ui.preview.sheets import Sheet, pair
from hub_ui.services import Services
from hub_ui.widgets.render import Renderer

VIEW = View(page="try", stack=(Stacked(ref="civitai:2"),))
NEED = NeedsFetching(
    "Two gigabytes.", label="SDXL 1.0", repo="a/b", bytes=2 * 10**9, present=0, free=7 * 10**10, license="", gated=False
)


@dataclass
class Asking:
    """A studio that asks before it fetches."""

    jobs: list[Job] = field(default_factory=list)

    def make(self, job: Job, sheet: Sheet, **_: Any) -> Made:
        self.jobs.append(job)
        raise NEED


@pytest.fixture
def studio(built: Services) -> Asking:
    asking = Asking()
    object.__setattr__(built, "studio", asking)
    return asking


def strangers(built: Services) -> None:
    object.__setattr__(built, "settings", replace(built.settings, hosted=True))


def job(built: Services, **fields: Any) -> Job:
    [adapter] = [
        Adapter(ref=ref, path=built.settings.home, title="Ink") for ref in Order(view=VIEW, filled=FILLED).refs
    ]
    return Job(adapters=(adapter,), prompt="a boat", **fields)


FILLED = Filled(wish=Wish(prompt="a boat", base="sdxl-1.0"))


def test_for_strangers_no_gigabytes_are_fetched_even_if_they_agree(built: Services, studio: Asking) -> None:
    strangers(built)
    wanted = job(built, may_fetch=True)
    with pytest.raises(UsageError, match="This shared page does not have SDXL 1"):
        built.make(wanted, pair(wanted))
    assert [asked.may_fetch for asked in studio.jobs] == [False]


@pytest.mark.parametrize("base", ["/etc", "../../etc/x.safetensors", "maker/own"])
def test_strangers_draw_on_no_folder_and_no_repo_of_their_choice(built: Services, studio: Asking, base: str) -> None:
    strangers(built)
    wanted = job(built, base=base)
    for ask in (built.make, built.estimate):
        with pytest.raises(UsageError, match="bases of its list"):
            ask(wanted, pair(wanted))
    assert studio.jobs == []


def test_at_home_a_person_is_asked_with_what_the_answer_is_about() -> None:
    need = making.needed(NEED, Order(view=VIEW, filled=FILLED).subject)
    assert (need.subject, need.size, need.license) == ("sdxl-1.0 civitai:2", "2.0 GB", "named on its page")


def test_a_failure_leaves_no_stop_button_behind() -> None:
    def failing() -> Iterator[Any]:
        yield making.NOTHING
        raise UsageError("No.")

    steps = making.ending(failing())
    assert [next(steps), next(steps)] == [
        making.NOTHING,
        ("", gr.skip(), gr.skip(), "", gr.update(visible=False), False),
    ]
    with pytest.raises(UsageError):
        next(steps)


def test_a_first_look_is_part_of_the_page_and_no_file() -> None:
    step = Step(stage="Drawing", done=1, total=4, preview=Image.new("RGB", (2, 2)), seconds_left=90)
    html = making.step_html(Renderer(), step)
    assert 'src="data:image/png;base64,' in html
    assert "about 1 min 30 s left" in html
