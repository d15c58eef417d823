"""The file that a profile is written to: checked before the profile is taken, and written as a whole or not at all."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telemetry import private_files
from telemetry.profiling import flamegraph, folded_stacks, speedscope
from telemetry.profiling.py_spy import ProcessProfile

FLAMEGRAPH: Final = ".svg"
SPEEDSCOPE: Final = ".json"


class OutputRefused(Exception):
    """The file cannot be written. The message says why."""


@dataclass(frozen=True, slots=True)
class ProfileText:
    """What stands above a profile, and the rate that it was taken at."""

    title: str
    subtitle: str
    rate: int


@dataclass(frozen=True, slots=True)
class ProfileOutput:
    """A file for a profile: a flamegraph (`.svg`), or for https://www.speedscope.app (`.json`)."""

    path: Path

    @classmethod
    def checked(cls, path: Path, *, overwrite: bool = False, hint: str = "") -> "ProfileOutput":
        """The output, after its name and its directory were checked.

        Args:
            path: the file.
            overwrite: whether it may exist.
            hint: what else to do if it exists.

        Raises:
            OutputRefused: the file could not be written later.
        """
        if path.is_dir():
            raise OutputRefused(f"{path} is a directory: name a file in it.")
        if path.suffix not in {FLAMEGRAPH, SPEEDSCOPE}:
            raise OutputRefused(
                f"{path} is invalid: expected a name that ends in .svg (flamegraph) or .json (speedscope)."
            )
        if not path.parent.is_dir():
            raise OutputRefused(f"{path.parent} is no directory: create it, or name another file.")
        if path.exists() and not overwrite:
            raise OutputRefused(f"{path} exists: name another file{hint}.")
        output = cls(path)
        output._try_to_write()
        return output

    def _try_to_write(self) -> None:
        try:
            private_files.make_file(self._partial)
            self._partial.unlink()
        except OSError as error:
            raise OutputRefused(f"{self.path} cannot be written ({error.strerror}).") from None

    @property
    def _partial(self) -> Path:
        return self.path.with_name(f".{self.path.name}.{os.getpid()}")

    def write(self, profiles: Sequence[ProcessProfile], text: ProfileText) -> None:
        """Write the profiles as one.

        Raises:
            OutputRefused: the disk is full, or the directory is gone.
        """
        try:
            private_files.make_file(self._partial)
            self._partial.write_text(self._rendered(profiles, text), "utf-8")
            self._partial.replace(self.path)
        except OSError as error:
            raise OutputRefused(f"{self.path} cannot be written ({error.strerror}).") from None
        finally:
            self._partial.unlink(missing_ok=True)

    def _rendered(self, profiles: Sequence[ProcessProfile], text: ProfileText) -> str:
        named = [(each.target.name, each.counts) for each in profiles if each.counts]
        merged = folded_stacks.merge(named)
        if self.path.suffix == FLAMEGRAPH:
            return flamegraph.draw(merged, text.title, text.subtitle)
        all_of_them = [("all processes", merged)] if len(named) > 1 else []
        return speedscope.render([*all_of_them, *named], f"{text.title}: {text.subtitle}", text.rate)
