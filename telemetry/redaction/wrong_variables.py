"""Says which of OpenTelemetry's variables are wrong, without a secret that somebody put into one."""

from telemetry.environment.errors import SettingsError
from telemetry.environment.otel_checks import wrong_variables
from telemetry.redaction.shown_settings import HIDDEN, hide_environment, shown_words


def check_opentelemetry() -> None:
    """Check the variables of OpenTelemetry, all that the SDK, its exporters and this telemetry read.

    Raises:
        SettingsError: a line for each that is wrong.
    """
    if lines := lines_of_opentelemetry():
        hide_environment()
        raise SettingsError("\n".join(lines))


def lines_of_opentelemetry() -> list[str]:
    """A line for each variable that is wrong: its name, its value, what it may be."""
    lines = []
    for wrong in wrong_variables():
        value = HIDDEN if wrong.is_secret else shown_words(wrong.value, wrong.words, is_path=wrong.is_path)
        lines.append(f"{wrong.name} is {value}, but must be {wrong.expected}.")
    return lines
