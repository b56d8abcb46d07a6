"""Sampler names of other programs, and the schedulers of diffusers that they stand for.

A name is a sampler and a sigma schedule, in any spelling: "DPM++ 2M Karras" and "DPM++ 2M" with a schedule type
(AUTOMATIC1111, CivitAI), `dpmpp_2m` with `karras` (ComfyUI), `dpmpp_2m_k` (InvokeAI), `K_EULER` (Replicate), and
diffusers' own class names. They are for networks that predict noise or velocity; flow-matching networks keep the
scheduler they were trained with. The names stand in samplers.toml.
"""

import inspect
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampler:
    """`name` is A1111's; `also` are other programs' as `_plain` spells them; `near` says how diffusers' differs.
    Without a `scheduler` it is a sigma schedule, A1111's schedule type: how the noise is spread over the steps.
    """

    name: str
    scheduler: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    near: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """`unread` is a schedule type that diffusers lacks."""

    sampler: Sampler
    spacing: Sampler | None
    unread: str | None = None

    @property
    def name(self) -> str:
        return f"{self.sampler.name} {self.spacing.name}" if self.spacing else self.sampler.name


_FILE = tomllib.loads(Path(__file__).with_name("samplers.toml").read_text(encoding="utf-8"))
SAMPLERS = msgspec.convert(_FILE["sampler"], tuple[Sampler, ...])
SPACINGS = msgspec.convert(_FILE["schedule"], tuple[Sampler, ...])
# Not a schedule: the program chose it automatically.
_AUTOMATIC = ("", "automatic", "default", "undefined", "none")
_SIGMAS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_flow_sigmas")
# Settings of one sampler, which the next one must not inherit.
_OF_THE_METHOD = (*_SIGMAS, "algorithm_type", "solver_order", "solver_type", "final_sigmas_type", "skip_prk_steps")
_LONGEST = 100


def read(name: str, schedule: str | None = None) -> Choice | None:
    """The sampler and the schedule in a name or beside it; None for what diffusers lacks."""
    plain = _plain(name)
    wanted = _plain(schedule or "")
    beside = None if wanted in _AUTOMATIC else next((s for s in SPACINGS if _is_named(s, wanted)), None)
    unread = (schedule or "")[:_LONGEST] if beside is None and wanted not in _AUTOMATIC else None
    if (whole := _sampler(plain)) is not None:
        return Choice(sampler=whole, spacing=beside, unread=unread)
    for spacing in SPACINGS:
        for word in (_plain(spacing.name), *spacing.also):
            if plain.endswith(f" {word}") and (sampler := _sampler(plain.removesuffix(f" {word}"))) is not None:
                return Choice(sampler=sampler, spacing=spacing)
    # Replicate's KarrasDPM.
    behind = _sampler(plain.removeprefix("karras").strip()) if plain.startswith("karras") else None
    return Choice(sampler=behind, spacing=SPACINGS[0]) if behind else None


def names() -> tuple[str, ...]:
    """A1111's names of the samplers that users can choose."""
    karras = ("DPM++ 2M", "DPM++ 2M SDE", "DPM++ SDE", "Euler", "DPM2")
    choices = ((each.name, f"{each.name} Karras") if each.name in karras else (each.name,) for each in SAMPLERS)
    return tuple(chain.from_iterable(choices))


def parts(name: str) -> tuple[str, str | None]:
    """Sampler and schedule type, which A1111 writes as two settings."""
    choice = read(name)
    if choice is None:
        return name, None
    return choice.sampler.name, choice.spacing.name if choice.spacing else None


def own(pipe: Any) -> str:
    """A1111's name for a pipeline's scheduler, or else the scheduler's class name."""
    config, kind = dict(getattr(pipe.scheduler, "config", {})), type(pipe.scheduler).__name__
    if _is_flow(pipe):
        return "Euler" if kind == "FlowMatchEulerDiscreteScheduler" else kind
    samplers = [sampler for sampler in SAMPLERS if sampler.scheduler == kind]
    if not samplers:
        return kind
    # The options by which samplers of one class differ.
    differ = ("algorithm_type", "solver_order")
    exact = (s for s in samplers if all(config.get(key) == s.options.get(key, config.get(key)) for key in differ))
    spacing = next((s for s in SPACINGS for key in s.options if key in _SIGMAS and config.get(key)), None)
    return Choice(sampler=next(exact, samplers[0]), spacing=spacing).name


def use(pipe: Any, name: str) -> str | None:
    """Sets this sampler if possible. Returns its differences from the name, as sentences."""
    import diffusers

    choice = read(name)
    if choice is None:
        return f"“{name[:_LONGEST]}” is no sampler of diffusers: the base's own, {own(pipe)}, was used."
    if _is_flow(pipe):
        if choice.sampler.name == "Euler":
            return None
        return f"This base matches flows and keeps its own sampler, {own(pipe)}: {choice.name} was not used."
    sampler, spacing = choice.sampler, choice.spacing
    kind, has_scipy = getattr(diffusers, sampler.scheduler, None), find_spec("scipy") is not None
    if kind is None or (sampler.scheduler == "LMSDiscreteScheduler" and not has_scipy):
        package = "scipy (pip install scipy)" if kind else "a newer diffusers (pip install -U diffusers)"
        return f"{choice.name} needs {package}: the base's own sampler, {own(pipe)}, was used."
    known = inspect.signature(kind.__init__).parameters
    options = spacing.options if spacing else {}
    fits = all(key in known for key in options) and ("use_beta_sigmas" not in options or has_scipy)
    # The noise schedule of the training stays; the sampler's settings are its own.
    config = {key: value for key, value in pipe.scheduler.config.items() if key in known and key not in _OF_THE_METHOD}
    pipe.scheduler = kind.from_config({**config, **sampler.options, **(options if fits else {})})
    notes = []
    if sampler.near:
        notes.append(f"{sampler.name} is not in diffusers: the nearest was used, {sampler.near}.")
    if spacing and not fits:
        notes.append(f"{sampler.name} takes no {spacing.name} spacing in diffusers: it was generated with its own.")
    if choice.unread:
        notes.append(f"“{choice.unread}” is no spacing of diffusers: {sampler.name} was generated with its own.")
    return " ".join(notes) or None


@contextmanager
def using(
    pipe: Any, name: str | None, flow_shift: float | None = None, options: Mapping[str, Any] | None = None
) -> Iterator[str | None]:
    """Sets the sampler, and the shift and other `options` of the scheduler, in a block; None keeps the base's own."""
    before = pipe.scheduler
    own = {} if flow_shift is None or "flow_shift" not in before.config else {"flow_shift": flow_shift}
    try:
        if own or options:
            pipe.scheduler = type(before).from_config(before.config, **{**own, **(options or {})})
        yield use(pipe, name) if name else None
    finally:
        pipe.scheduler = before


def _is_flow(pipe: Any) -> bool:
    """Also true for EDM's schedulers: with any other, networks trained with those make only noise."""
    config, kind = dict(getattr(pipe.scheduler, "config", {})), type(pipe.scheduler).__name__
    return (
        "Flow" in kind
        or kind.startswith("EDM")
        or bool(config.get("use_flow_sigmas"))
        or "flow" in str(config.get("prediction_type", ""))
        or "beta_schedule" not in config
    )


def _is_named(choice: Sampler, plain: str) -> bool:
    return plain == _plain(choice.name) or plain in choice.also


def _sampler(plain: str) -> Sampler | None:
    return next((sampler for sampler in SAMPLERS if _is_named(sampler, plain)), None) if plain else None


def _plain(name: str) -> str:
    """One spelling for all: "DPM++ 2S a" and `dpmpp_2s_ancestral` are "dpmpp 2s a"."""
    text = re.sub(r"[\s_\-]+", " ", name[:_LONGEST].lower()).strip().replace("dpm++", "dpmpp").replace("dpm +", "dpmpp")
    text = re.sub(r"\bancestral\b", "a", text.removesuffix("scheduler").removesuffix(" gpu").strip())
    return text.removeprefix("k ")
