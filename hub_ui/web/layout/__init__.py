"""The frame of every page: header, menus, messages, and the glossary."""
