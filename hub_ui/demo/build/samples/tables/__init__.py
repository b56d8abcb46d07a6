"""The samples, as literal data: one module a hub, one for those that run on the tiny base model."""
