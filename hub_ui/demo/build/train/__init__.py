"""Makes the tiny base model and the LoRAs of the demo, from nothing: `python -m hub_ui.demo.build.train`.

Torch, diffusers and peft are imported in here at the top of files, so nothing that starts the app imports this package.
"""
