"""Files of tests that take minutes. One process runs a file, so they begin first: none is alone at the end."""

LONG_FILES = (
    "hub_ui/cluster/test_cluster.py",
    "browser/test_two_visitors.py",
    "docs/test_shell_lines.py",
    "browser/test_preview.py",
    "browser/test_journey.py",
    "browser/test_every_page.py",
    "browser/test_keyboard.py",
    "browser/test_browse.py",
    "browser/test_space.py",
    "hub_ui/commands/test_serving.py",
    "hub_ui/web/test_sigterm.py",
)
