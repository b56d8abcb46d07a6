"""Pictures from LoRAs: a base model, adapters with weights, and a pair without / with from one seed.

torch and diffusers are imported inside functions only: starting the app must not wait for them.
"""
