"""One command a file: a class whose fields are the options, and whose `run(terminal)` returns the exit code."""
