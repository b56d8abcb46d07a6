"""LoRA files on a loaded pipeline: which of its modules each tensor changes, and by how much, without reloading.

load -> modules -> key_mapping -> patch    a file's layers, the modules that they patch, and what each module gains
manager -> hooks, merge                    the patches of several files at their weights, and the base again afterwards
"""
