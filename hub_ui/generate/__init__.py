"""From a LoRA on this disk to a picture that says how it was made.

A search became a Ref, and the library has its file; services.py makes an Adapter of it and a Job of what a person asks.
From there on:

    job.py        what is asked (Job) and answered (Made: pictures and a Report); sheets.py: which cells are compared
    prompt.py     trigger words into the prompt; settings.py: the base's numbers where none are given
    bases/        which base carries the LoRA, as rows of a table; a person's own folder, repo or checkpoint
    studio.py     one base in memory, one sheet at a time. Makes, from the job:
      fetching.py   what the base would take (Plan), then its files in Hugging Face's cache (hub_cache.py, layout.py)
      loading.py    those files -> diffusers' pipeline; single_file.py for checkpoints; device.py: where it runs
      adapters/     LoRA files -> patches on the pipeline's layers, and the count of what went nowhere (coverage.py)
      steering.py   the picture that steers; control.py makes edges, depth and poses (pose.py) of it
      samplers.py   other programs' sampler names -> schedulers
      stage.py      cells -> rounds.py, in batches that fit (footprint.py) -> draw.py, one call of the pipeline, in the
                    words of its family (arguments.py); texts.py and drawn.py keep what need not be computed twice
      steps.py      progress and cancelling at each step; latents.py: the rough picture; sound.py: numbers that broke
    elsewhere.py  the same jobs on Replicate; prices.py: for how much; training_set.py: pictures to train a LoRA on
    estimate.py   how long it will take
    contact.py    a whole sheet as one labelled picture
    stamp.py      how it was made, into the PNG and back: stamped.py as JSON, parameters.py as A1111's text
    history.py    what was made lately; example_settings.py: settings out of other people's pictures

torch and diffusers are imported inside functions only: starting the app must not wait for them.
"""
