"""The commands: `python -m service …`."""
