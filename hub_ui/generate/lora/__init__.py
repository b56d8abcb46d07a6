"""LoRA files on a loaded pipeline: which of its layers each tensor changes, by how much, switched without reloading.

shapes of a file + names of a model -> placing -> where every tensor goes, or why it goes nowhere
tensors + where they go             -> patches -> what each layer's weight gains at weight 1
patches + weights                   -> rack    -> a pipeline that draws with them, and the base again after
"""
