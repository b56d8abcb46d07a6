"""The commands by topic: each is a class whose fields are options, and whose `run(terminal)` returns the exit code."""
