"""What visitors of a shared page meet in place of its owner's hubs and library. See policy.py for what they may do."""
