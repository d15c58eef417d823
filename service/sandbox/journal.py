"""The journal: records all changes made through the APIs, one JSON line each, so that they survive a restart."""

import json
import os
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

Entry = dict[str, Any]


class Journal:
    """In a file, or in memory without a path. When `append` returns, the entry is with the operating system."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._entries: list[Entry] = _recover(path) if path else []
        self._lock = threading.Lock()
        self._file: IO[str] | None = None

    def start(self, seed: int, now: datetime) -> datetime:
        """Start with a seed, and return the epoch of the simulation.

        A journal of the same seed continues with its epoch. Any other one is deleted, and a new one starts with `now`.
        """
        first = self._entries[0] if self._entries else {}
        if first.get("kind") == "world" and first.get("seed") == seed:
            return datetime.fromisoformat(first["epoch"])
        self._entries.clear()
        self.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self.append("world", seed=seed, epoch=now.isoformat())
        return now

    def append(self, kind: str, **fields: Any) -> None:
        entry = {"kind": kind, **fields}
        with self._lock:
            self._entries.append(entry)
            if self._path is not None:
                self._write(self._path, entry)

    def _write(self, path: Path, entry: Entry) -> None:
        if self._file is None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.fdopen(_open_private(path), "a", encoding="utf-8")
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self._file.flush()

    def entries(self, kind: str) -> Iterator[Entry]:
        """The entries of a kind, oldest first."""
        return iter([entry for entry in self._entries if entry["kind"] == kind])

    def prune(self, kind: str, keep: int) -> None:
        """Remove all but the newest `keep` entries of a kind from memory. The file keeps all."""
        with self._lock:
            old = [number for number, entry in enumerate(self._entries) if entry["kind"] == kind][:-keep]
            for number in reversed(old):
                del self._entries[number]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _open_private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def _recover(path: Path) -> list[Entry]:
    """Read the entries, and truncate the file at the first incomplete line, which a killed writer leaves."""
    if not path.exists():
        return []
    content = path.read_bytes()
    entries, size = _valid_entries(content)
    if size < len(content):
        os.truncate(path, size)
    return entries


def _valid_entries(content: bytes) -> tuple[list[Entry], int]:
    """The entries before the first invalid line, and their size in bytes."""
    entries: list[Entry] = []
    size = 0
    for line in content.splitlines(keepends=True):
        entry = _parse_entry(line)
        if entry is None:
            break
        entries.append(entry)
        size += len(line)
    return entries, size


def _parse_entry(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and line.endswith(b"\n") else None
