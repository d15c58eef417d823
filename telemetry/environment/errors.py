"""The error of variables that are not right."""


class SettingsError(ValueError):
    """One line for each variable that is wrong: its name, what it was (a secret's value never), what it may be."""
