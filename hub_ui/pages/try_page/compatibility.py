"""The base model for the LoRAs of the Try page, and a prompt for them."""

import re
from collections.abc import Sequence

from connectors.errors import DoesNotFit, HubUiError, NoBase
from connectors.record import Record
from hub_ui import format
from hub_ui.generate import base_models
from hub_ui.generate import settings as generate_settings
from hub_ui.pages.browse.header_reader import with_header_facts
from hub_ui.pages.view import TrySettings
from hub_ui.services import Services
from hub_ui.widgets import cards, detail

DEFAULT_PROMPT = "a lighthouse on a cliff at dusk"
_LORA_TAG = re.compile(r"<lora:[^>]*>")


def choose_base(services: Services, record: Record, base: str | None = None) -> base_models.PipelineSpec:
    """The base that this LoRA runs on. Raises NoBase or DoesNotFit with the reason and a solution."""
    generate_settings.check_base_policy(services.policy, base)
    _, facts = with_header_facts(services, record)
    if facts is not None and not facts.adapter.is_lora:
        raise DoesNotFit(detail.refusal(facts))
    choice = base_models.choose_base(record.architecture, record.base_model, base)
    if services.settings.demo and choice.source != str(base_models.PACKAGED) and not base:
        raise NoBase(
            f"This LoRA needs {choice.label}, and the demo brings only its tiny base. Try one for Tiny Shapes here; "
            f"`hub-ui serve` runs this one with {choice.label} ({choice.gigabytes:g} GB to download)."
        )
    return choice


def compatibility_problem(services: Services, record: Record, beside: base_models.PipelineSpec | None = None) -> str:
    """Why this LoRA runs on no base here, or not on the others' base; empty when it does."""
    try:
        choose_base(services, record)
    except HubUiError as error:
        return error.message
    if beside is None or record.architecture in (None, beside.architecture):
        return ""
    label = cards.base_label(record)
    return f"{label} LoRA: does not fit {beside.label}. Take one of them away, or choose another base."


def suggest_base(
    services: Services, settings: TrySettings, records: Sequence[Record | None]
) -> base_models.PipelineSpec | None:
    """The base for the form's default steps and size; None if there is none."""
    first = next((record for record in records if record is not None), None)
    if first is None:
        return None
    try:
        generate_settings.check_base_policy(services.policy, settings.base)
        return base_models.choose_base(first.architecture, first.base_model, settings.base or None)
    except HubUiError:
        return None


def suggest_prompt(records: Sequence[Record | None]) -> str:
    """The prompt of the first example that has one, without the tags of other programs."""
    for record in records:
        for example in record.images if record else ():
            text = " ".join(_LORA_TAG.sub("", example.prompt or "").split())
            if text:
                return text[:500]
    return DEFAULT_PROMPT if records else ""


def requirements(services: Services, record: Record) -> detail.Requirements:
    """The requirements for trying it, or why it can't be tried."""
    try:
        choice = choose_base(services, record)
    except HubUiError as error:
        if record.architecture:
            return detail.Requirements(text=error.message, closed=True, unfit=True)
        return detail.Requirements(text=no_base_text(services, record), closed=True, unfit=services.settings.demo)
    if choice.source == str(base_models.PACKAGED):
        return detail.Requirements(text=f"Can be tried at once: {choice.label} is here.")
    if not services.policy.allows("fetch bases"):
        return detail.Requirements(text=f"Tried on {choice.label}, if this shared page has it on its disk.")
    gate = f", after you accept its licence at {choice.page}" if choice.gated else ""
    return detail.Requirements(
        text=f"Tried on {choice.label}: {choice.gigabytes:g} GB, downloaded once{gate}. With less than "
        f"{choice.memory:.0f} GB of graphics memory it is slow."
    )


def no_base_text(services: Services, record: Record) -> str:
    made_for = format.visible(record.base_model or record.raw_base_model)
    reason = "Nothing says which base model it was made for."
    if made_for:
        reason = f"It was made for “{made_for}”, which is no base model known here."
    # The user may know the base nevertheless.
    return reason if services.settings.demo else f"{reason} Add it to the stack, then choose a base on the Try page."
