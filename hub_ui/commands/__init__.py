"""One command a file, each with `run(args, terminal) -> exit code`. Their arguments are declared in hub_ui/cli.py."""
