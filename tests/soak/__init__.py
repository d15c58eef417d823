"""The soak: the real service under mixed load and one fault after the other. `python -m tests.soak --help`."""
