"""Whether a policy lets somebody generate what they ask for."""

from __future__ import annotations

from hub_ui.policy import Policy
from hub_ui.preview import bases
from hub_ui.preview.job import Job


def check(policy: Policy, place: str, job: Job, *, images: int) -> None:
    """Raises UsageError for what the policy does not allow, and for more than its bounds."""
    if place == "replicate":
        policy.check("run on Replicate")
    check_base(policy, job.base)
    sides = [side for side in (job.width, job.height) if side]
    policy.check_bounds(
        loras=len(job.adapters), images=images, steps=job.steps, side=max(sides, default=0), frames=job.frames
    )


def check_base(policy: Policy, asked: str | None) -> None:
    """No stranger may look at folders of this computer, or fill its disk."""
    if asked and bases.by_id(asked.lower()) is None:
        policy.check("open paths")
