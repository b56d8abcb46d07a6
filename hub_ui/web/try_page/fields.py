"""The fields that the Compare page's form sends, and the acts of its buttons."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends
from starlette.requests import Request

from connectors.errors import UsageError
from hub_ui.generate.try_fields import TRY_FIELDS, TrySettings
from hub_ui.i18n import _
from hub_ui.web.try_page.form import PageState, read_address, tile_number, weights_in

LARGEST_DICE = 2**32
# What another base suggests anew.
OF_THE_BASE = tuple(row.name for row in TRY_FIELDS if row.of_base)


@dataclass(frozen=True)
class TryFields:
    """As the page's address names them. `weight` has one for each `lora`; `act` is what a button does.

    `filled`: they are of the page's form, so what is empty in them is meant. `was` is the base before a change, `fetch`
    what a download was agreed for.
    """

    given: Mapping[str, Sequence[str]]

    def one(self, name: str) -> str:
        return self.all(name)[0] if self.all(name) else ""

    def all(self, name: str) -> Sequence[str]:
        return self.given.get(name, ())

    @property
    def has_new_base(self) -> bool:
        return self.one("was") != self.one("on")

    def state(self) -> PageState:
        """What the page's address says after this. Raises UsageError for a weight that is no number."""
        left_out = ("view", "open", "lora", *(OF_THE_BASE if self.has_new_base and self.one("filled") else ()))
        pairs = [("lora", self._with_weight(ref, at)) for at, ref in enumerate(self.all("lora"))]
        pairs += [(name, text) for name, texts in self.given.items() for text in texts if name not in left_out and text]
        return read_address(urlencode(pairs))

    def _with_weight(self, ref: str, at: int) -> str:
        weights = self.all("weight")
        if at >= len(weights):
            return ref
        try:
            return f"{ref.rpartition('*')[0] or ref}*{float(weights[at]):g}"
        except ValueError as error:
            raise UsageError(_("A weight is a number from -1 to 2.")) from error


async def read_form(request: Request) -> TryFields:
    form = await request.form(max_files=0)
    return TryFields({name: [str(value) for value in form.getlist(name)] for name in form})


Fields = Annotated[TryFields, Depends(read_form)]


def apply_act(state: PageState, act: str, fields: TryFields) -> PageState:
    """What a button of the form does, such as "remove REF" or "sheet strip"; what is none leaves all as it is."""
    name, _space, what = act.partition(" ")
    match name:
        case "remove":
            return replace(state, view=state.view.without_lora(what))
        case "up" | "down":
            return move(state, what, -1 if name == "up" else 1)
        case "words":
            return state.with_settings(use_trigger_words=what != "off")
        case "sheet":
            # Its images are of another comparison.
            sheet = TrySettings.from_pairs({"sheet": [what]}).sheet
            return replace(state.with_settings(sheet=sheet, weights=()), shown=None, job="")
        case "range":
            return state.with_settings(weights=weights_in(*map(fields.one, ("low", "high", "count"))))
        case "dice":
            return state.with_settings(seed=random.randrange(LARGEST_DICE))
        case "tile":
            return replace(state, shown=tile_number(what))
        case "leave":
            return replace(state, job="")
    return state


def move(state: PageState, ref: str, by: int) -> PageState:
    """The LoRA that a sweep varies stays the same, wherever it stands then."""
    moved, stack = state.view.with_lora_moved(ref, by), state.view.stack
    varied = stack[min(state.settings.varied, len(stack) - 1)] if stack else None
    at = next((i for i, lora in enumerate(moved.stack) if lora == varied), 0)
    return replace(state, view=moved).with_settings(varied=at)
