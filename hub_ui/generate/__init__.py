"""From a LoRA on this disk to images that say how they were made.

    request.py           what is asked (GenerationRequest); result.py: images, and how much of a file takes effect
    comparison.py        which cells are compared, with trigger words in their prompts
    base_models/         which base carries the LoRA, its download and its pipeline
    settings.py          the base's own numbers where none are given, and what can't be generated
    plan.py              what follows from a request, its base and a device (memory.py): precision, level, rows, time
    memory_plan.py       what a base's parts take, and the level that fits; estimate.py: how long it will take
    engine.py            one base in memory, one comparison at a time, as planned; offload.py: the levels
    loaded_pipeline.py   cells -> calls, again with less memory where it ran out -> batch.py, one call
    pipeline_arguments.py what each family of pipelines calls its arguments
    lora/                LoRA files -> patches on the pipeline's layers
    control.py           control images, and starting from an image
    samplers.py          other programs' sampler names -> schedulers
    previews.py          rough images at each step
    prompt_weights.py    emphasis and long prompts, and their embeddings
    caches.py            what need not be computed twice
    replicate.py         the same requests on Replicate, and for how much
    zero_gpu.py          the same requests on ZeroGPU of Hugging Face Spaces

torch and diffusers are imported inside functions only: starting the app must not wait for them.
"""
