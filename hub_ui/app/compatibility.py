"""The base model, the requirements and a prompt for the LoRAs of the Compare page."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from connectors.errors import DoesNotFit, HubUiError, NoBase
from connectors.record import Record
from connectors.ref import Ref
from connectors.weights.file_type import WORDS
from connectors.weights.inspect import Facts
from hub_ui.app.services import Services
from hub_ui.base import format
from hub_ui.base.i18n import _
from hub_ui.generate import base_models
from hub_ui.generate.memory.plan import required_memory
from hub_ui.generate.settings import choose_allowed_base
from hub_ui.generate.try_fields import TrySettings

DEFAULT_PROMPT = "a lighthouse on a cliff at dusk"
# Default prompts by architecture, in words that its base model was trained on.
_PROMPTS = {"tiny-shapes": "a yellow house on meadow background"}
_LORA_TAG = re.compile(r"<lora:[^>]*>")


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """A sentence about the requirements for trying a LoRA.

    `closed` is set if it can't be tried here, and `unfit` if it can't be added to other LoRAs either.
    """

    text: str = ""
    closed: bool = False
    unfit: bool = False


def refusal(facts: Facts | None) -> str:
    if facts is None or facts.adapter.is_lora:
        return ""
    text = _("This is no LoRA for images or videos: the file is {what}. It can't be tried here.")
    return text.format(what=_(WORDS[facts.adapter.what]))


def choose_base(services: Services, record: Record, base: str | None = None) -> base_models.PipelineSpec:
    """Return the base model that this LoRA runs on. Raise NoBase or DoesNotFit with the reason and a solution."""
    _record, facts = services.lookup.with_header_facts(record)
    if facts is not None and not facts.adapter.is_lora:
        raise DoesNotFit(refusal(facts))
    if facts is not None and facts.adapter.is_packed:
        text = _("This LoRA is packed for Nunchaku, so it can't be tried here. Choose the file that it was made from.")
        raise DoesNotFit(text)
    choice = choose_allowed_base(services.policy, record.architecture, record.base_model, base)
    if services.settings.demo and choice.source != str(base_models.PACKAGED) and not base:
        text = _(
            "This LoRA needs {base}, and the demo brings only its tiny base. Try one for Tiny Shapes here; “hub-ui "
            "serve” runs this one with {base} (up to {n} GB to download)."
        )
        raise NoBase(text.format(base=choice.label, n=f"{choice.gigabytes:g}"))
    return choice


def compatibility_problem(services: Services, record: Record, beside: base_models.PipelineSpec | None = None) -> str:
    """Return why this LoRA runs on no base model here or not on `beside`, the base model of the other LoRAs.

    Return an empty string if it runs.
    """
    try:
        choose_base(services, record)
    except HubUiError as error:
        return error.message
    if beside is None or record.architecture in (None, beside.architecture):
        return ""
    text = _("{base} LoRA: does not fit {other}. Take one of them away, or choose another base.")
    return text.format(base=format.base_label(record), other=beside.label)


def suggest_base(
    services: Services, settings: TrySettings, records: Sequence[Record | None]
) -> base_models.PipelineSpec | None:
    """Return the base model that sets the form's default steps and size, or None."""
    first = next(filter(None, records), None)
    with suppress(HubUiError):
        if first is not None:
            return choose_allowed_base(services.policy, first.architecture, first.base_model, settings.base or None)
    return None


def suggest_prompt(records: Sequence[Record | None]) -> str:
    """Return the first prompt of an example image, without `<lora:...>` tags, or a default prompt."""
    for record in records:
        for example in record.images if record else ():
            text = " ".join(_LORA_TAG.sub("", example.prompt or "").split())
            if text:
                return text[:500]
    architectures = (record.architecture or "" for record in records if record)
    return _PROMPTS.get(next(filter(None, architectures), ""), DEFAULT_PROMPT) if records else ""


def requirements(services: Services, record: Record) -> Requirements:
    """Return the requirements for trying a LoRA, or the reason why it can't be tried."""
    try:
        choice = choose_base(services, record)
    except HubUiError as error:
        if record.architecture:
            return Requirements(text=error.message, closed=True, unfit=True)
        return Requirements(text=no_base_text(services, record), closed=True, unfit=services.settings.demo)
    if choice.source == str(base_models.PACKAGED):
        return Requirements(text=_("Can be tried at once: {base} is here.").format(base=choice.label))
    if not services.policy.allows("fetch bases"):
        text = _("Tried on {base}, if this shared page has it on its disk.")
        return Requirements(text=text.format(base=choice.label))
    text = _(
        "Tried on {base}: up to {n} GB, downloaded once. With less than {memory} GB of graphics memory it is slow."
    )
    if choice.gated:
        text = _(
            "Tried on {base}: up to {n} GB, downloaded once, after you accept its licence at {page}. With less than "
            "{memory} GB of graphics memory it is slow."
        )
    memory = f"{required_memory(choice) / 1e9:.0f}"
    text = text.format(base=choice.label, n=f"{choice.gigabytes:g}", page=choice.page, memory=memory)
    remark = base_models.substitution_note(choice, record.title, record.base_model)
    return Requirements(text=format.sentences(text, remark))


def no_base_text(services: Services, record: Record) -> str:
    made_for = format.visible(record.base_model or record.raw_base_model)
    reason = _("Nothing says which base model it was made for.")
    if made_for:
        reason = _("It was made for “{base}”, which is no base model known here.").format(base=made_for)
    # A person may know the base model even if no metadata names it.
    add = "" if services.settings.demo else _("Add it on the Compare page, and choose a base there.")
    return format.sentences(reason, add)


def to_download(services: Services, refs: Sequence[Ref]) -> str:
    """Return a text such as "191 MB to download first", or an empty string if all LoRAs are installed."""
    count, size = services.generation.to_pull(refs)
    if not size:
        return _("{n} files to download first").format(n=count) if count else ""
    return _("{size} to download first").format(size=format.size(size))
