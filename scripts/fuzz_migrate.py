"""Throws damaged configurations of Cedar Backup at `migrate`; keeps those that reach what none did before.

`python -m scripts.fuzz_migrate SECONDS FOLDER [SEED]`: what fails is put there as `failed-*` and ends the run
with 1; of the others as few as reach the most are kept in the end.
"""

from __future__ import annotations

import hashlib
import random
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from cedarchest.config.cedar.translate import migrate, without_reserved
from cedarchest.config.model import Config
from cedarchest.errors import ConfigError

BASE = Path("/etc/cedarchest")
EXAMPLES = Path(__file__).parents[1] / "tests/cedar_configs"
WATCHED = "/cedarchest/config/"
SLOW_S = 10.0
LARGEST = 20_000
MOST = 40
WORDS = [
    *b"< > </ /> &lt; &#0; &#x41; ]]> <![CDATA[ <!-- --> <?x?> &b; 0 -1 1e999 99999999999999 Y N".split(),
    *b"daily weekly / .. | ( [a- * dvd+rw cd-r-74 dvdwriter monday remote local collect \" ' {} %s".split(),
    *(
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\x00",
        b"\xc3\x28",
        b"1.5 GB",
        b"\n",
    ),
]

Line = tuple[str, int, int]


def reached(raw: bytes) -> set[Line]:
    """The steps from line to line that a configuration takes.

    Raises:
        AssertionError: it was neither taken nor refused, or it took too long.
    """
    steps: set[Line] = set()

    def local(frame: FrameType, _event: str, _argument: Any) -> Callable[..., Any]:
        before = lines.get(id(frame), 0)
        steps.add((frame.f_code.co_filename, before, frame.f_lineno))
        lines[id(frame)] = frame.f_lineno
        return local

    def traced(frame: FrameType, _event: str, _argument: Any) -> Callable[..., Any] | None:
        return local if WATCHED in frame.f_code.co_filename else None

    lines: dict[int, int] = {}
    began = time.monotonic()
    sys.settrace(traced)
    try:
        made = migrate(raw, base=BASE, secrets_dir=BASE)
        Config.from_mapping(without_reserved(made.mapping), BASE)
    except ConfigError:
        pass
    finally:
        sys.settrace(None)
    assert time.monotonic() - began < SLOW_S, "it takes too long"
    return steps


def changed(dice: random.Random, several: list[bytes]) -> bytes:
    """One of some configurations with a few changes."""
    raw = bytearray(dice.choice(several))
    for _ in range(dice.choice((1, 1, 2, 4, 8))):
        at, to = sorted((dice.randrange(len(raw) + 1), dice.randrange(len(raw) + 1)))
        match dice.randrange(8):
            case 0:
                raw[at : at + dice.randrange(1, 9)] = b""
            case 1:
                raw[at:at] = dice.choice(WORDS)
            case 2:
                raw[at : min(to, at + 200)] = dice.choice(WORDS)
            case 3:
                raw[at:at] = raw[at : min(to, at + 300)] * dice.choice((1, 1, 2, 9))
            case 4:
                _put_element(dice, raw, dice.choice(several))
            case 5:
                _change_text(dice, raw)
            case 6 if raw:
                raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
            case _:
                del raw[at : min(to, at + 400)]
    return bytes(raw[:LARGEST])


def _put_element(dice: random.Random, raw: bytearray, other: bytes) -> None:
    """Put an element of another configuration behind some element."""
    begins = [
        at for at in range(len(other)) if other[at : at + 1] == b"<" and other[at + 1 : at + 2].isalpha()
    ]
    if not begins:
        return
    at = dice.choice(begins)
    name = other[at + 1 :].split(b">")[0].split()[0] if other[at + 1 :].split(b">")[0].split() else b"x"
    end = other.find(b"</" + name + b">", at)
    places = [place + 1 for place in range(len(raw)) if raw[place : place + 1] == b">"]
    if end > 0 and places:
        place = dice.choice(places)
        raw[place:place] = other[at : end + len(name) + 3]


def _change_text(dice: random.Random, raw: bytearray) -> None:
    """Put something else between two tags."""
    places = [at + 1 for at in range(len(raw)) if raw[at : at + 1] == b">"]
    if places:
        place = dice.choice(places)
        end = raw.find(b"<", place)
        raw[place : end if end >= 0 else place] = dice.choice(WORDS)


def fewest(known: dict[bytes, set[Line]]) -> list[bytes]:
    """Few configurations, small ones first, that together reach all that was reached."""
    left = set().union(*known.values())
    chosen = []
    while left and len(chosen) < MOST:
        best = max(known, key=lambda raw: (len(known[raw] & left) / (200 + len(raw)), -len(raw)))
        chosen.append(best)
        left -= known[best]
    return chosen


def main() -> int:
    """The status: whether anything failed."""
    seconds, folder = float(sys.argv[1]), Path(sys.argv[2])
    dice = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else None)  # noqa: S311 - nothing secret
    folder.mkdir(parents=True, exist_ok=True)
    known: dict[bytes, set[Line]] = {}
    every: set[Line] = set()
    runs = 0
    end = time.monotonic() + seconds
    queue = [path.read_bytes() for path in sorted(EXAMPLES.rglob("*")) if path.is_file()]
    failed = False
    while time.monotonic() < end:
        raw = queue.pop() if queue else changed(dice, list(known))
        runs += 1
        try:
            steps = reached(raw)
        except Exception:  # noqa: BLE001 - whatever it is, it is what is sought
            failed = True
            name = hashlib.sha256(raw).hexdigest()[:12]
            (folder / f"failed-{name}.xml").write_bytes(raw)
            (folder / f"failed-{name}.txt").write_text(traceback.format_exc(), encoding="utf-8")
            continue
        if not steps <= every or not known:
            every |= steps
            known[raw] = steps
    for number, raw in enumerate(fewest(known)):
        (folder / f"odd-{number:03}.xml").write_bytes(raw)
    print(f"{runs} runs, {len(known)} kept, {len(every)} steps reached, failed: {failed}")  # noqa: T201
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
