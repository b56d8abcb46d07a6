"""Sampler names of other programs -> diffusers' schedulers.

A name is read as method and spacing, whatever it was written in: "DPM++ 2M Karras" and "DPM++ 2M" with a schedule type
(AUTOMATIC1111, CivitAI), `dpmpp_2m` with `karras` (ComfyUI), `dpmpp_2m_k` (InvokeAI), `K_EULER` (Replicate), and
diffusers' own class names. The methods are for networks that predict noise or velocity; those that match flows keep the
scheduler they were trained with.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampler:
    """`name` is A1111's. `also` are other programs' names, as `_plain` spells them.

    `near` says what differs where diffusers has no scheduler that does just the same.
    """

    name: str
    scheduler: str
    options: Mapping[str, Any] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    near: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SigmaSchedule:
    """How the steps are spread over the noise. `name` is A1111's schedule type."""

    name: str
    options: Mapping[str, Any]
    also: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """`unread` is a schedule type that diffusers has nothing for."""

    sampler: Sampler
    spacing: SigmaSchedule | None
    unread: str | None = None

    @property
    def name(self) -> str:
        return f"{self.sampler.name} {self.spacing.name}" if self.spacing else self.sampler.name


_MULTI, _SINGLE = "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler"
_SDE = {"algorithm_type": "sde-dpmsolver++", "final_sigmas_type": "zero"}
_PP = {"algorithm_type": "dpmsolver++", "final_sigmas_type": "zero"}
_NO_NOISE = "without the noise that it adds at each step"

SAMPLERS: tuple[Sampler, ...] = (
    Sampler(name="Euler", scheduler="EulerDiscreteScheduler", also=("eulerdiscrete",)),
    Sampler(name="Euler a", scheduler="EulerAncestralDiscreteScheduler", also=("eulerancestraldiscrete",)),
    Sampler(name="Heun", scheduler="HeunDiscreteScheduler", also=("heundiscrete",)),
    Sampler(name="LMS", scheduler="LMSDiscreteScheduler", also=("lmsdiscrete",)),
    Sampler(
        name="DPM2",
        scheduler="KDPM2DiscreteScheduler",
        also=("dpm 2", "kdpm 2", "dpm2 discrete", "kdpm2discrete", "dpm2discrete"),
    ),
    Sampler(
        name="DPM2 a",
        scheduler="KDPM2AncestralDiscreteScheduler",
        also=("dpm 2 a", "kdpm 2 a", "kdpm2ancestraldiscrete", "dpm2ancestraldiscrete"),
    ),
    Sampler(name="DPM++ 2M", scheduler=_MULTI, options={**_PP, "solver_order": 2}, also=("dpmsolvermultistep", "dpm")),
    Sampler(name="DPM++ 2M SDE", scheduler=_MULTI, options={**_SDE, "solver_order": 2}, also=("dpmpp 2m sde heun",)),
    Sampler(name="DPM++ 3M", scheduler=_MULTI, options={**_PP, "solver_order": 3}),
    Sampler(name="DPM++ 3M SDE", scheduler=_MULTI, options={**_SDE, "solver_order": 3}),
    Sampler(name="DPM++ 2S", scheduler=_SINGLE, options={**_PP, "solver_order": 2}, also=("dpmsolversinglestep",)),
    Sampler(
        name="DPM++ 2S a",
        scheduler=_SINGLE,
        options={**_PP, "solver_order": 2},
        near=_NO_NOISE,
    ),
    Sampler(
        name="DPM++ SDE",
        scheduler=_SINGLE,
        options={**_SDE, "solver_order": 2},
        also=("dpmsolversde",),
        near="with a solver of another kind",
    ),
    Sampler(name="DEIS", scheduler="DEISMultistepScheduler", also=("deismultistep",)),
    Sampler(name="UniPC", scheduler="UniPCMultistepScheduler", also=("uni pc", "uni pc bh2", "unipcmultistep")),
    Sampler(name="DDIM", scheduler="DDIMScheduler"),
    Sampler(name="DDPM", scheduler="DDPMScheduler"),
    Sampler(name="PLMS", scheduler="PNDMScheduler", options={"skip_prk_steps": True}, also=("pndm",)),
    Sampler(name="LCM", scheduler="LCMScheduler"),
    Sampler(name="TCD", scheduler="TCDScheduler"),
)
SPACINGS: tuple[SigmaSchedule, ...] = (
    SigmaSchedule(name="Karras", options={"use_karras_sigmas": True}, also=("k", "ka")),
    SigmaSchedule(name="Exponential", options={"use_exponential_sigmas": True}),
    SigmaSchedule(name="Beta", options={"use_beta_sigmas": True}),
    SigmaSchedule(name="SGM Uniform", options={"timestep_spacing": "trailing"}, also=("simple", "trailing")),
    SigmaSchedule(name="DDIM", options={"timestep_spacing": "leading"}, also=("ddim uniform", "leading")),
    SigmaSchedule(name="Uniform", options={"timestep_spacing": "linspace"}, also=("normal", "linspace")),
)
# Said of no spacing at all: the program picked it by itself.
_AUTOMATIC = ("", "automatic", "default", "undefined", "none")
_SIGMAS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_flow_sigmas")
# Settings of the schedulers' own methods: the next method starts from its own defaults.
_OF_THE_METHOD = (*_SIGMAS, "algorithm_type", "solver_order", "solver_type", "final_sigmas_type", "skip_prk_steps")
_LONGEST = 100


def read(name: str, schedule: str | None = None) -> Choice | None:
    """The method and spacing a name means, the spacing in it or beside it; None for one that diffusers lacks."""
    plain = _plain(name)
    asked = _plain(schedule or "")
    beside = _spacing(asked)
    unread = (schedule or "")[:_LONGEST] if beside is None and asked not in _AUTOMATIC else None
    if (whole := _sampler(plain)) is not None:
        return Choice(sampler=whole, spacing=beside, unread=unread)
    for spacing in SPACINGS:
        for word in (_plain(spacing.name), *spacing.also):
            if plain.endswith(f" {word}") and (sampler := _sampler(plain.removesuffix(f" {word}"))) is not None:
                return Choice(sampler=sampler, spacing=spacing)
    # KarrasDPM, as Replicate says it.
    behind = _sampler(plain.removeprefix("karras").strip()) if plain.startswith("karras") else None
    return Choice(sampler=behind, spacing=SPACINGS[0]) if behind else None


def names() -> tuple[str, ...]:
    """What a person may choose from, A1111's names."""
    karras = ("DPM++ 2M", "DPM++ 2M SDE", "DPM++ SDE", "Euler", "DPM2")
    return tuple(
        name
        for sampler in SAMPLERS
        for name in (sampler.name, *([f"{sampler.name} Karras"] * (sampler.name in karras)))
    )


def parts(name: str) -> tuple[str, str | None]:
    """Sampler and schedule type, as A1111 writes them beside each other."""
    choice = read(name)
    if choice is None:
        return name, None
    return choice.sampler.name, choice.spacing.name if choice.spacing else None


def own(pipe: Any) -> str:
    """What the scheduler of a pipeline is called in A1111's words; its class where nobody has a name for it."""
    scheduler = pipe.scheduler
    config = dict(getattr(scheduler, "config", {}))
    kind = type(scheduler).__name__
    if _is_flow(pipe):
        return "Euler" if kind == "FlowMatchEulerDiscreteScheduler" else kind
    fitting = [sampler for sampler in SAMPLERS if sampler.scheduler == kind]
    exact = [s for s in fitting if all(config.get(key) == value for key, value in _telling(s).items())]
    if not fitting:
        return kind
    marked = next((s for s in SPACINGS for key in s.options if key in _SIGMAS and config.get(key)), None)
    return Choice(sampler=(exact or fitting)[0], spacing=marked).name


def use(pipe: Any, name: str) -> str | None:
    """Gives the pipeline that sampler. A sentence about what differs from what the name says, if anything does.

    A name that can't be followed leaves the pipeline as it is.
    """
    choice = read(name)
    if choice is None:
        return f"“{name[:_LONGEST]}” is no sampler of diffusers: the base's own, {own(pipe)}, was used."
    if _is_flow(pipe):
        if choice.sampler.name == "Euler":
            return None
        return f"This base matches flows and keeps its own sampler, {own(pipe)}: {choice.name} was not used."
    scheduler, left_out = _built(choice, pipe.scheduler)
    if scheduler is None:
        return f"{choice.name} needs {left_out}: the base's own sampler, {own(pipe)}, was used."
    pipe.scheduler = scheduler
    return _differs(choice, left_out)


@contextmanager
def using(pipe: Any, name: str | None) -> Iterator[str | None]:
    """The same for a while; None keeps the base's own."""
    before = pipe.scheduler
    try:
        yield use(pipe, name) if name else None
    finally:
        pipe.scheduler = before


def _built(choice: Choice, before: Any) -> tuple[Any, str]:
    """The scheduler, and the name of a spacing it does not take; or none, and the package that it needs."""
    import diffusers

    kind = getattr(diffusers, choice.sampler.scheduler, None)
    if kind is None or (choice.sampler.scheduler == "LMSDiscreteScheduler" and not _has_scipy()):
        return None, "scipy (pip install scipy)" if kind else "a newer diffusers (pip install -U diffusers)"
    taken = inspect.signature(kind.__init__).parameters
    spacing = choice.spacing.options if choice.spacing else {}
    fits = all(key in taken for key in spacing) and ("use_beta_sigmas" not in spacing or _has_scipy())
    # The noise it was trained on stays; how a method goes about it is the method's own.
    config = {key: value for key, value in before.config.items() if key in taken and key not in _OF_THE_METHOD}
    scheduler = kind.from_config({**config, **choice.sampler.options, **(spacing if fits else {})})
    return scheduler, "" if fits or choice.spacing is None else choice.spacing.name


def _differs(choice: Choice, left_out: str) -> str | None:
    said = []
    if choice.sampler.near:
        said.append(f"{choice.sampler.name} is not in diffusers: the nearest was used, {choice.sampler.near}.")
    if left_out:
        said.append(f"{choice.sampler.name} takes no {left_out} spacing in diffusers: it was drawn with its own.")
    if choice.unread:
        said.append(f"“{choice.unread}” is no spacing of diffusers: {choice.sampler.name} was drawn with its own.")
    return " ".join(said) or None


def _is_flow(pipe: Any) -> bool:
    """Of EDM's schedulers too: networks trained with those draw noise with any other."""
    scheduler = pipe.scheduler
    config = dict(getattr(scheduler, "config", {}))
    kind = type(scheduler).__name__
    return (
        "Flow" in kind
        or kind.startswith("EDM")
        or bool(config.get("use_flow_sigmas"))
        or "flow" in str(config.get("prediction_type", ""))
        or "beta_schedule" not in config
    )


def _has_scipy() -> bool:
    return find_spec("scipy") is not None


def _telling(sampler: Sampler) -> Mapping[str, Any]:
    return {key: value for key, value in sampler.options.items() if key in ("algorithm_type", "solver_order")}


def _sampler(plain: str) -> Sampler | None:
    return next((s for s in SAMPLERS if plain == _plain(s.name) or plain in s.also), None) if plain else None


def _spacing(plain: str) -> SigmaSchedule | None:
    if plain in _AUTOMATIC:
        return None
    return next((s for s in SPACINGS if plain == _plain(s.name) or plain in s.also), None)


def _plain(name: str) -> str:
    """One spelling for all: "DPM++ 2S a" and `dpmpp_2s_ancestral` are "dpmpp 2s a"."""
    text = re.sub(r"[\s_\-]+", " ", name[:_LONGEST].lower()).strip()
    text = (
        text.replace("dpm++", "dpmpp").replace("dpm +", "dpmpp").removesuffix("scheduler").removesuffix(" gpu").strip()
    )
    text = re.sub(r"\bancestral\b", "a", text)
    return text.removeprefix("k ") if text not in ("k",) else text
