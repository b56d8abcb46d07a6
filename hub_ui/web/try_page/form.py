"""The form of the Compare page: its fields, their defaults for the chosen LoRAs, invalid values, and its buttons."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode

from fastapi import Depends, Request
from starlette.datastructures import ImmutableMultiDict

from connectors.errors import HubUiError, UsageError
from connectors.record import Record
from connectors.ref import Ref
from hub_ui.app.compatibility import choose_base, compatibility_problem, suggest_base, suggest_prompt
from hub_ui.app.services import Services
from hub_ui.base import format
from hub_ui.base.i18n import N_, _
from hub_ui.generate import base_models
from hub_ui.generate.compare.comparison import DEFAULT_SWEEP, ComparisonKind, sweep_around, weight_range
from hub_ui.generate.request import DEFAULT_STRENGTH
from hub_ui.generate.try_fields import MOST_WEIGHTS, TRY_FIELDS, TrySettings
from hub_ui.web.browse import cards
from hub_ui.web.view import MOST_FIELDS, View

# Names of uploads and of a job, as addresses have them.
NAMES = {"image": "image", "control": "control", "original": "again", "job": "job"}
# The fields whose text can be wrong, by their names.
CHECKED = {row.name: row for row in TRY_FIELDS if row.is_checked}
USUAL_WEIGHTS: dict[ComparisonKind, tuple[float, ...]] = {"strip": DEFAULT_SWEEP, "grid": (0.0, 0.5, 1.0)}
UNSEEN = N_("Nothing is known of it yet. Its hub is asked again when you press the button.")
CONTROL_KINDS = {
    "canny": N_("edges (Canny)"), "depth": N_("depth"), "pose": N_("pose"), "ready": N_("as it is"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PageState:
    """The state in the page's address: the form, the job to follow, and the position of the image on the stage.

    `wrong` has the texts of invalid fields. `image` and `control` are names of uploads, as is `again`, the image to
    reproduce.
    """

    view: View
    wrong: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    control: str = ""
    control_kind: str = "canny"
    again: str = ""
    job: str = ""
    shown: int | None = None

    @property
    def settings(self) -> TrySettings:
        return self.view.settings

    @property
    def problems(self) -> Mapping[str, str]:
        """The error messages of invalid fields, by name."""
        found = {name: CHECKED[name].check(text) for name, text in self.wrong.items()}
        if len(self.view.stack) == 1 and self.settings.sheet in ("both", "loras"):
            found["lora"] = _("Two LoRAs are compared here: add another one.")
        return found

    def to_address(self) -> str:
        return "&".join(filter(None, (self.view.to_address(), self._more())))

    def link(self, root: str = "") -> str:
        address, more = self.view.link(root), self._more()
        return f"{address}{'&' if '?' in address else '?'}{more}" if more else address

    def _more(self) -> str:
        named = {
            "made": "" if self.control_kind == "canny" else self.control_kind,
            **{name: getattr(self, attribute) for name, attribute in NAMES.items()},
            "shown": "" if self.shown is None else str(self.shown),
            **self.wrong,
        }
        return urlencode([(name, value) for name, value in named.items() if value])

    def check(self) -> None:
        """Raise UsageError for the first invalid field."""
        for text in self.problems.values():
            raise UsageError(text)

    def with_settings(self, **changes: Any) -> "PageState":
        """Return the state with changed settings, which replace invalid texts."""
        wrong = {name: text for name, text in self.wrong.items() if name not in changes}
        return replace(self, view=replace(self.view, settings=replace(self.settings, **changes)), wrong=wrong)


def read_address(query: str, level: str | None = None) -> PageState:
    """Parse the page's address. `level` is the default NSFW level."""
    try:
        given = parse_qs(query, max_num_fields=MOST_FIELDS)
    except ValueError:
        given = {}
    view = replace(View.from_address(query, level), page="try")
    if view.settings.strength == DEFAULT_STRENGTH:
        view = replace(view, settings=replace(view.settings, strength=None))
    one = {name: values[0] for name, values in given.items()}
    return PageState(
        view=view,
        wrong={name: one[name][:4000] for name, row in CHECKED.items() if row.check(one.get(name, ""))},
        control_kind=one["made"] if one.get("made") in CONTROL_KINDS else "canny",
        shown=tile_number(one.get("shown", "")),
        **{attribute: one.get(name, "")[:60] for name, attribute in NAMES.items()},
    )


def tile_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else None


def fill(services: Services, state: PageState, *, asks: bool = False) -> dict[str, Any]:
    """Return the values of the form's templates.

    `settings` come from the address, then from the base's defaults. `texts` are the texts of the fields. `usual` are
    the default weights of a sweep, or empty for other comparisons; `range` is their lowest, highest and number.
    `unseen` tells whether a LoRA is not in the catalog. `asks` permits requests to hubs for such LoRAs.
    """
    view = state.view
    records = [services.lookup.find_record(ref, asks=asks) for ref in view.refs]
    base = suggest_base(services, view.settings, records)
    settings = view.settings.with_defaults(base)
    if not settings.prompt and None not in records:
        settings = replace(settings, prompt=suggest_prompt(records))
    usual = usual_weights(services, view)
    now = settings.weights or usual or (0.0, 1.0)
    return {
        "settings": settings,
        "stack": [stack_item(services, s.ref, s.weight, r, base) for s, r in zip(view.stack, records, strict=True)],
        "words": tuple(dict.fromkeys(word for record in records if record for word in record.trigger_words)),
        "texts": defaultdict(str, {**dict(settings.to_pairs()), **state.wrong}),
        "base": base_field(services, settings, records),
        "usual": usual,
        "range": (min(now), max(now), len(now)),
        "runs_there": bool(view.stack) and services.generation.runs_on_replicate(view.refs),
        "unseen": None in records,
    }


def usual_weights(services: Services, view: View) -> tuple[float, ...]:
    """Return the default weights of a sweep or a grid, or an empty tuple for other comparisons."""
    settings = view.settings
    if settings.sheet != "strip" or not view.stack:
        return USUAL_WEIGHTS.get(settings.sheet, ())
    varied = view.refs[min(settings.varied, len(view.stack) - 1)]
    return sweep_around(services.generation.recommended_weight(varied))


def weights_in(low: str, high: str, count: str) -> tuple[float, ...]:
    """Return evenly spaced weights. Raises UsageError for an invalid range."""
    try:
        lowest, highest, number = float(low), float(high), int(count)
    except ValueError:
        lowest, highest, number = 0, 0, 0
    if not -1 <= lowest < highest <= 2:
        raise UsageError(_("A sweep goes from a lower weight to a higher one, between -1 and 2."))
    if not 2 <= number <= MOST_WEIGHTS:
        raise UsageError(_("A sweep has 2 to {most} images.").format(most=MOST_WEIGHTS))
    return weight_range(lowest, highest, number)


def stack_item(
    services: Services, ref: str, weight: float, record: Record | None, base: base_models.PipelineSpec | None
) -> Mapping[str, Any]:
    """Return a row of the form's LoRAs. `problem` tells why it can't be used with the base, or is empty.

    `most` is the highest usual weight.
    """
    if record is None:
        return {"ref": ref, "title": ref, "weight": weight, "most": 1.0, "line": "", "image": "", "problem": _(UNSEEN)}
    cover = cards.cover(record, "soft")
    rank = _("rank {n}").format(n=record.rank) if record.rank else ""
    usual = _("usually {weight}").format(weight=record.weight_text) if record.weight else ""
    return {
        "ref": ref,
        "title": format.visible(record.title),
        "weight": weight,
        "most": services.generation.highest_usual_weight(Ref.parse(ref), record),
        "line": format.join(format.base_label(record), rank, usual),
        "image": cover.url if cover else "",
        "problem": compatibility_problem(services, record, base),
    }


def base_field(services: Services, settings: TrySettings, records: Sequence[Record | None]) -> dict[str, Any]:
    """Return the chosen base, the choices, and a line about the base. If `is_problem`, the line is an error."""
    none = {"id": settings.base, "choices": (), "line": "", "is_problem": False}
    first = next(filter(None, records), None)
    if first is None:
        return none
    try:
        choice = choose_base(services, first, settings.base or None)
    except HubUiError as error:
        if compatibility_problem(services, first):
            # The row of the LoRA shows the reason.
            return {**none, "line": _("No base model for this LoRA here"), "is_problem": True}
        return {**none, "choices": choices(services, first.architecture), "line": error.message, "is_problem": True}
    # The size of a user's own base is unknown, and the packaged base is already on the disk.
    is_known = base_models.base_by_id(choice.id) is not None and choice.source != str(base_models.PACKAGED)
    disk = _("up to {n} GB on disk").format(n=f"{choice.gigabytes:g}") if is_known else ""
    offered = dict(choices(services, choice.architecture))
    return {
        "id": choice.id,
        "choices": tuple({**offered, choice.id: offered.get(choice.id, choice.id)}.items()),
        "line": format.join(f"{choice.width} × {choice.height}", disk),
        "is_problem": False,
    }


def choices(services: Services, architecture: str | None) -> tuple[tuple[str, str], ...]:
    bases = base_models.bases_for_architecture(architecture)
    return tuple((base.id, base.label) for base in bases if services.policy.allows_base(base.id))


LARGEST_DICE = 2**32
# Fields that get new defaults when the base changes.
OF_THE_BASE = tuple(row.name for row in TRY_FIELDS if row.of_base)


class TryFields(ImmutableMultiDict[str, str]):
    """The fields of the posted form, with the names of the page's address.

    There is a `weight` for each `lora`. `act` is the button's action. `filled` is set by the page's own form, whose
    empty fields are intended. `was` is the base before a change, and `fetch` identifies a confirmed download.
    """

    @property
    def has_new_base(self) -> bool:
        return self.get("was", "") != self.get("on", "")

    def state(self) -> PageState:
        """Return the new state of the page. Raises UsageError if a weight is not a number."""
        left_out = ("view", "open", "lora", *(OF_THE_BASE if self.has_new_base and self.get("filled") else ()))
        pairs = [("lora", self._with_weight(ref, at)) for at, ref in enumerate(self.getlist("lora"))]
        pairs += [(name, text) for name, text in self.multi_items() if name not in left_out and text]
        return read_address(urlencode(pairs))

    def _with_weight(self, ref: str, at: int) -> str:
        weights = self.getlist("weight")
        if at >= len(weights):
            return ref
        try:
            return f"{ref.rpartition('*')[0] or ref}*{float(weights[at]):g}"
        except ValueError as error:
            raise UsageError(_("A weight is a number from -1 to 2.")) from error


async def read_form(request: Request) -> TryFields:
    form = await request.form(max_files=0)
    return TryFields([(name, str(value)) for name, value in form.multi_items()])


Fields = Annotated[TryFields, Depends(read_form)]


def apply_act(state: PageState, act: str, fields: TryFields) -> PageState:
    """Apply a button's action, such as "remove REF" or "sheet strip". Unknown actions change nothing."""
    name, _space, what = act.partition(" ")
    match name:
        case "remove":
            return replace(state, view=state.view.without_lora(what))
        case "up" | "down":
            return move(state, what, -1 if name == "up" else 1)
        case "words":
            return state.with_settings(use_trigger_words=what != "off")
        case "sheet":
            # Drop the old images, which belong to another comparison.
            sheet = TrySettings.from_pairs({"sheet": [what]}).sheet
            return replace(state.with_settings(sheet=sheet, weights=()), shown=None, job="")
        case "range":
            return state.with_settings(weights=weights_in(*(fields.get(name, "") for name in ("low", "high", "count"))))
        case "dice":
            return state.with_settings(seed=random.randrange(LARGEST_DICE))
        case "tile":
            return replace(state, shown=tile_number(what))
        case "leave":
            return replace(state, job="")
    return state


def move(state: PageState, ref: str, by: int) -> PageState:
    """Move a LoRA up or down in the list. A sweep still varies the same LoRA."""
    stack = list(state.view.stack)
    at = next((i for i, lora in enumerate(stack) if lora.ref == ref), None)
    if at is None:
        return state
    varied = stack[min(state.settings.varied, len(stack) - 1)]
    stack.insert(max(0, at + by), stack.pop(at))
    return replace(state, view=replace(state.view, stack=tuple(stack))).with_settings(varied=stack.index(varied))
