"""Receipts in `state_dir`: those that peers have, and those that are still to be brought to them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cedarchest.adapters.durable import durable_file
from cedarchest.errors import DiskFull, StagingError
from cedarchest.model.handover import RECEIPTS


class StateReceipts:
    """Receipts below `state_dir/receipts`: `PEER/due` looks as it is to look in the collect dir."""

    def __init__(self, state_dir: Path) -> None:
        self._root = state_dir / "receipts"

    def proof(self, day: str) -> Sequence[str]:
        """What the receipts of a day go by; nothing when there are none."""
        with self._sentences():
            path = self._proof(day)
            return tuple(path.read_text().splitlines()) if path.exists() else ()

    def write(self, day: str, proof: Sequence[str], receipts: Mapping[str, bytes]) -> None:
        """Keep the receipts of a day, by peer, to be brought to them."""
        with self._sentences():
            for peer, content in receipts.items():
                path = self._due(peer) / RECEIPTS / _name(day)
                path.parent.mkdir(parents=True, exist_ok=True)
                with durable_file(path, mode=0o644) as stream:
                    stream.write(content)
            self._proof(day).parent.mkdir(parents=True, exist_ok=True)
            with durable_file(self._proof(day)) as stream:
                stream.write("".join(f"{each}\n" for each in proof).encode())

    def has(self, peer: str, day: str) -> bool:
        """Whether a peer has, or is to get, a receipt of a day."""
        return any(path.exists() for path in self._places(peer, _name(day)))

    def held(self, peer: str) -> Iterator[bytes]:
        """All receipts of a peer, whether it has them yet or not."""
        with self._sentences():
            folders = (self._sent(peer), self._due(peer) / RECEIPTS)
            for name in sorted({path.name for folder in folders for path in folder.glob("*.jsonl")}):
                newest = next(path for path in self._places(peer, name) if path.exists())
                yield newest.read_bytes()

    def due(self, peer: str) -> Path | None:
        """A folder of what is to be brought to a peer, as it is to stand there; None when nothing is."""
        folder = self._due(peer)
        return folder if any(folder.glob(f"{RECEIPTS}/*.jsonl")) else None

    def delivered(self, peer: str) -> None:
        """What was due has been brought."""
        with self._sentences():
            self._sent(peer).mkdir(parents=True, exist_ok=True)
            for path in (self._due(peer) / RECEIPTS).glob("*.jsonl"):
                path.replace(self._sent(peer) / path.name)

    @contextlib.contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except DiskFull:
            raise
        except OSError as error:
            raise StagingError(
                f"the receipts in {self._root} cannot be used: {error.strerror} ({error.filename})",
                advice="Correct [options] state_dir or the folder's permissions.",
            ) from error

    def _places(self, peer: str, name: str) -> tuple[Path, Path]:
        """Where a receipt may be, the newer one first."""
        return self._due(peer) / RECEIPTS / name, self._sent(peer) / name

    def _due(self, peer: str) -> Path:
        return self._root / "peers" / peer / "due"

    def _sent(self, peer: str) -> Path:
        return self._root / "peers" / peer / "sent"

    def _proof(self, day: str) -> Path:
        return self._root / "days" / day.replace("/", "-")


def _name(day: str) -> str:
    return f"{day.replace('/', '-')}.jsonl"
