"""How the networks' own code, and the trainers that follow it, call what diffusers calls otherwise."""
