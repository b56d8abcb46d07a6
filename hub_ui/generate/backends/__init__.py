"""Other places to generate: Replicate, ZeroGPU and a cluster of Ray."""
