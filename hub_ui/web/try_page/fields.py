"""The fields that the Compare page's form sends, and the acts of its buttons."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated
from urllib.parse import urlencode

from pydantic import BaseModel, Field, StringConstraints

from connectors.errors import UsageError
from hub_ui.i18n import _
from hub_ui.web.try_page.form import PageState, read_fields, weights_in, with_new_base
from hub_ui.web.view import MOST_LORAS, View, sheet_kind

LARGEST_DICE = 2**32
Text = Annotated[str, StringConstraints(max_length=4000)]
Ref = Annotated[str, StringConstraints(max_length=500)]
Texts = Annotated[list[Text], Field(max_length=60)]


class TryFields(BaseModel):
    """As the page's address names them. `weight` has one for each `lora`; `act` is what a button does.

    `filled`: they are of the page's form, so what is empty in them is meant. `was` is the base before a change, `fetch`
    what a download was agreed for.
    """

    lora: Annotated[list[Ref], Field(max_length=MOST_LORAS)] = []
    weight: Annotated[list[Ref], Field(max_length=MOST_LORAS)] = []
    prompt: Text = ""
    negative: Text = ""
    seed: Ref = ""
    steps: Ref = ""
    cfg: Ref = ""
    size: Ref = ""
    on: Ref = ""
    was: Ref = ""
    sampler: Ref = ""
    words: Ref = ""
    sheet: Ref = ""
    row: Annotated[list[Annotated[str, StringConstraints(max_length=20_000)]], Field(max_length=10)] = []
    place: Ref = ""
    weights: Ref = ""
    low: Ref = ""
    high: Ref = ""
    count: Ref = ""
    varied: Ref = ""
    quality: Ref = ""
    clip: Ref = ""
    blocks: Text = ""
    strength: Ref = ""
    image: Ref = ""
    control: Ref = ""
    made: Ref = ""
    original: Ref = ""
    job: Ref = ""
    shown: Ref = ""
    act: Text = ""
    fetch: Text = ""
    filled: Ref = ""
    # The search of the Browse page, which stays.
    q: Text = ""
    hub: Texts = []
    base: Texts = []
    kind: Texts = []
    filter: Texts = []
    sort: Ref = ""
    nsfw: Ref = ""

    def state(self) -> PageState:
        """What the page's address says after this. Raises UsageError for a weight that is no number."""
        given = self.model_dump(exclude={"weight", "was", "low", "high", "count", "act", "fetch", "filled"})
        pairs = {name: value if isinstance(value, list) else [value] for name, value in given.items() if value}
        pairs["lora"] = [self._with_weight(ref, at) for at, ref in enumerate(self.lora)]
        view = View.from_address(urlencode([("view", "try")] + [(n, v) for n, vs in pairs.items() for v in vs]))
        state = read_fields(view, pairs)
        return with_new_base(state) if self.was != self.on and self.filled else state

    def _with_weight(self, ref: str, at: int) -> str:
        if at >= len(self.weight):
            return ref
        try:
            return f"{ref.rpartition('*')[0] or ref}*{float(self.weight[at]):g}"
        except ValueError as error:
            raise UsageError(_("A weight is a number from -1 to 2.")) from error


def apply_act(state: PageState, act: str, fields: TryFields) -> PageState:
    """What a button of the form does, such as "remove REF" or "sheet strip"; what is none leaves all as it is."""
    name, _space, what = act.partition(" ")
    change = ACTS.get(name)
    return change(state, what, fields) if change is not None else state


def _with_view(state: PageState, view: View) -> PageState:
    return replace(state, view=view)


def _with_settings(state: PageState, **changes: object) -> PageState:
    settings = replace(state.settings, **changes)  # type: ignore[arg-type]
    return _with_view(state, replace(state.view, settings=settings))


def _move(state: PageState, ref: str, by: int) -> PageState:
    """The LoRA that a sweep varies stays the same, wherever it stands then."""
    view, settings = state.view, state.settings
    moved = view.with_lora_moved(ref, by)
    varied = view.stack[min(settings.varied, len(view.stack) - 1)] if view.stack else None
    at = next((i for i, s in enumerate(moved.stack) if s == varied), 0)
    return _with_view(state, replace(moved, settings=replace(settings, varied=at)))


def _remove(state: PageState, ref: str, _fields: TryFields) -> PageState:
    return _with_view(state, state.view.without_lora(ref))


def _sheet(state: PageState, kind: str, _fields: TryFields) -> PageState:
    # Its images are of another comparison.
    return replace(_with_settings(state, sheet=sheet_kind(kind), weights=()), shown=None, job="")


def _range(state: PageState, _what: str, fields: TryFields) -> PageState:
    text = weights_in(fields.low, fields.high, fields.count)
    weights = tuple(float(part) for part in text.split(", "))
    problems = {name: said for name, said in state.problems.items() if name != "weights"}
    return replace(_with_settings(state, weights=weights), problems=problems)


def _dice(state: PageState, _what: str, _fields: TryFields) -> PageState:
    problems = {name: said for name, said in state.problems.items() if name != "seed"}
    return replace(_with_settings(state, seed=random.randrange(LARGEST_DICE)), problems=problems)


def _tile(state: PageState, number: str, _fields: TryFields) -> PageState:
    return replace(state, shown=int(number)) if number.isascii() and number.isdigit() and len(number) < 4 else state


def _without_question(state: PageState, _what: str, _fields: TryFields) -> PageState:
    return replace(state, job="")


Act = Callable[[PageState, str, TryFields], PageState]
ACTS: Mapping[str, Act] = {
    "remove": _remove,
    "up": lambda state, ref, _fields: _move(state, ref, -1),
    "down": lambda state, ref, _fields: _move(state, ref, 1),
    "words": lambda state, what, _fields: _with_settings(state, use_trigger_words=what != "off"),
    "sheet": _sheet,
    "range": _range,
    "dice": _dice,
    "tile": _tile,
    "leave": _without_question,
}


def is_act(act: str, names: Sequence[str]) -> bool:
    return act.partition(" ")[0] in names
