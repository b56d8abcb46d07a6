"""Generate images from a LoRA on this disk, and record how each image was made.

    request.py            the request (GenerationRequest); result.py: images, and how much of a file takes effect
    try_fields.py         the fields of the Compare page, which become a request
    settings.py           the request with the base's defaults filled in, and its validation
    base_models/          the base for a LoRA, its download and its pipeline
    compare/              the cells of a comparison, with trigger words in their prompts
    plan.py               precision, offload level, rows and time of a request, from its base and the device
    memory/               how much memory a base needs, the devices, and the offload levels
    estimate.py           how long a comparison will take
    engine.py             keeps one base in memory and generates one comparison at a time, as planned
    loaded_pipeline.py    turns cells into calls, and retries with less memory; batch.py: one call
    pipeline_arguments.py the names of the call's arguments in each family of pipelines
    lora/                 applies LoRA files to the pipeline's layers
    control.py            control images, and starting from an image
    samplers.py           sampler names of other programs, and their schedulers in diffusers
    previews.py           rough images at each step
    prompt_weights.py     emphasis and long prompts, and their embeddings
    caches.py             caches of images and of prompt embeddings
    backends/             the same requests on Replicate, on ZeroGPU of Hugging Face Spaces, and on a Ray cluster

torch and diffusers are imported inside functions only, so that starting the app does not wait for them.
"""
