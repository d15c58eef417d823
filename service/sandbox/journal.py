"""The journal: what was done to the sandbox's world, one JSON line each, so that it is the same world after a restart."""

import json
import os
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

Entry = dict[str, Any]


class Journal:
    """Kept in a file, or, without a path, in memory. An entry is on its way to the disk when `append` returns."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._entries: list[Entry] = _mend(path) if path else []
        self._lock = threading.Lock()
        self._file: IO[str] | None = None

    def begin(self, seed: int, now: datetime) -> datetime:
        """The epoch of the seed's world: the one of the journal, or now, in a journal that is begun anew."""
        first = self._entries[0] if self._entries else {}
        if first.get("kind") == "world" and first.get("seed") == seed:
            return datetime.fromisoformat(first["epoch"])
        self._entries.clear()
        self.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self.append("world", seed=seed, epoch=now.isoformat())
        return now

    def append(self, kind: str, **what: Any) -> None:
        entry = {"kind": kind, **what}
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
        """In the order in which they were made."""
        return iter([entry for entry in self._entries if entry["kind"] == kind])

    def forget(self, kind: str, keep: int) -> None:
        """Only the newest `keep` of a kind stay in memory; the file has them all."""
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


def _mend(path: Path) -> list[Entry]:
    """The entries up to the first line that is torn (its writer was killed); what is torn is cut off, or it would tear the next."""
    if not path.exists():
        return []
    written = path.read_bytes()
    entries, sound = _sound(written)
    if sound < len(written):
        os.truncate(path, sound)
    return entries


def _sound(written: bytes) -> tuple[list[Entry], int]:
    """The entries, and how many bytes they take."""
    entries: list[Entry] = []
    size = 0
    for line in written.splitlines(keepends=True):
        entry = _entry(line)
        if entry is None:
            break
        entries.append(entry)
        size += len(line)
    return entries, size


def _entry(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and line.endswith(b"\n") else None
