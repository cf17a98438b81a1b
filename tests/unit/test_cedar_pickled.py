"""What Cedar Backup pickled is read as it was written, and whatever else stands there is never acted on."""

from __future__ import annotations

import contextlib
import os
import pickle
import pickletools
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import cedarchest
from cedarchest.config.cedar import pickled
from cedarchest.config.cedar.pickled import Refused, digests, last_run, read, youngest

PROTOCOL = st.integers(0, pickle.HIGHEST_PROTOCOL)
WRITER = st.sampled_from([pickle.dumps, pickle._dumps])  # type: ignore[attr-defined]
HEX = st.binary(min_size=20, max_size=20).map(bytes.hex)
PATH = st.binary(max_size=30).map(
    lambda raw: "/" + raw.replace(b"\0", b"").decode("utf-8", "surrogateescape")
)
NUMBER = st.integers(-(1 << 63), (1 << 63) - 1)
VALUE = st.one_of(
    st.dictionaries(PATH | st.text(max_size=20), HEX | st.text(max_size=20), max_size=40),
    NUMBER,
    st.text(),
    st.datetimes(),
    st.datetimes().map(lambda time: time.replace(fold=1)),
)

NIGHT = datetime(2026, 11, 24, 3, 5, 39, 10)  # noqa: DTZ001 - as Cedar Backup has it
A, B = "ab" * 20, "cd" * 20


@given(VALUE, PROTOCOL, WRITER)
@example({f"/{number}": A for number in range(2500)}, 0, pickle.dumps)
@example({f"/{number}": A for number in range(2500)}, 4, pickle.dumps)
@example({"/a": A, "/b": A}, 2, pickle.dumps)
def test_what_python_3_writes_reads_back_the_same(
    value: object, protocol: int, write: Callable[..., bytes]
) -> None:
    found = read(write(value, protocol, fix_imports=True))
    assert found == value
    assert type(found) is type(value)
    if isinstance(value, datetime) and protocol >= 4:  # earlier ones do not have it
        assert isinstance(found, datetime)
        assert found.fold == value.fold


@given(st.dictionaries(PATH, HEX, max_size=40), PROTOCOL)
def test_digests_are_by_the_bytes_of_a_path(held: dict[str, str], protocol: int) -> None:
    expected = {os.fsencode(path): bytes.fromhex(digest) for path, digest in held.items()}
    assert digests(pickle.dumps(held, protocol)) == expected


# Written by Python 2.7.18, by `pickle` and by `cPickle`.
MAPS = [
    b"(dp0\nS'/home/\\xc3\\xa9'\np1\nS'%s'\np2\nsS\"/it's\"\np3\nS'%s'\np4\ns.",
    b"(dp1\nS'/home/\\xc3\\xa9'\np2\nS'%s'\np3\nsS\"/it's\"\np4\nS'%s'\np5\ns.",
    b"}q\x00(U\x08/home/\xc3\xa9q\x01U(%sq\x02U\x05/it'sq\x03U(%sq\x04u.",
    b"\x80\x02}q\x00(U\x08/home/\xc3\xa9q\x01U(%sq\x02U\x05/it'sq\x03U(%sq\x04u.",
    b"\x80\x02}q\x01(U\x08/home/\xc3\xa9q\x02U(%sU\x05/it'sq\x03U(%su.",
]
UNICODE = [
    b"(dp0\nV/home/\xe9\np1\nS'%s'\np2\ns.",
    b"}q\x00X\x08\x00\x00\x00/home/\xc3\xa9q\x01U(%sq\x02s.",
    b"\x80\x02}q\x01X\x08\x00\x00\x00/home/\xc3\xa9q\x02U(%ss.",
]
TIMES = [
    b'cdatetime\ndatetime\np0\n(S"\\x07\\xea\\x0b\\x18\\x03\\x05\'\\x00\\x00\\n"\np1\ntp2\nRp3\n.',
    b'cdatetime\ndatetime\np1\n(S"\\x07\\xea\\x0b\\x18\\x03\\x05\'\\x00\\x00\\n"\ntRp2\n.',
    b"cdatetime\ndatetime\nq\x00(U\n\x07\xea\x0b\x18\x03\x05'\x00\x00\nq\x01tq\x02Rq\x03.",
    b"\x80\x02cdatetime\ndatetime\nq\x00U\n\x07\xea\x0b\x18\x03\x05'\x00\x00\nq\x01\x85q\x02Rq\x03.",
    b"\x80\x02cdatetime\ndatetime\nq\x01U\n\x07\xea\x0b\x18\x03\x05'\x00\x00\n\x85Rq\x02.",
]
NUMBERS = [b"I300\n.", b"L300L\n.", b"M,\x01.", b"\x80\x02M,\x01.", b"\x80\x02\x8a\x02,\x01."]


@pytest.mark.parametrize("raw", MAPS, ids=repr)
def test_digests_by_python_2(raw: bytes) -> None:
    found = digests(raw % (A.encode(), B.encode()))
    assert found == {"/home/é".encode(): bytes.fromhex(A), b"/it's": bytes.fromhex(B)}


@pytest.mark.parametrize("raw", UNICODE, ids=repr)
def test_digests_by_python_2_of_paths_in_unicode(raw: bytes) -> None:
    assert digests(raw % A.encode()) == {"/home/é".encode(): bytes.fromhex(A)}


@pytest.mark.parametrize("raw", TIMES, ids=repr)
def test_times_by_python_2(raw: bytes) -> None:
    assert last_run(raw) == NIGHT


@pytest.mark.parametrize("raw", NUMBERS, ids=repr)
def test_revisions_by_python_2(raw: bytes) -> None:
    assert youngest(raw) == 300


# -- hostile ----------------------------------------------------------------------------------------


class Runs:
    """What, when it is unpickled, makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return subprocess.call, (["touch", str(self.path)],)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("wrap", [lambda it: it, lambda it: {"/a": it}], ids=["alone", "in a map"])
def test_a_program_is_refused_and_not_run(tmp_path: Path, protocol: int, wrap: Callable[[Any], Any]) -> None:
    raw = pickle.dumps(wrap(Runs(tmp_path / "made")), protocol)
    for reader in (read, digests, last_run, youngest):
        with pytest.raises(Refused, match=r"program|does not write"):
            reader(raw)
    assert not (tmp_path / "made").exists()
    pickle.loads(raw)
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "raw",
    [
        b"cos\nsystem\n(S'touch /tmp/x'\ntR.",
        b"cposix\nsystem\n(S'touch /tmp/x'\ntR.",
        b"(S'touch /tmp/x'\nios\nsystem\n.",
        b"(cos\nsystem\nS'touch /tmp/x'\no.",
        b"c__builtin__\neval\n(S'1'\ntR.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R.",
        b"cdatetime\ndatetime\n(cdatetime\ndatetime\ntR.",
        b"cdatetime\ndatetime\n(I2026\nI11\nI24\ntR.",
        b"cdatetime\ndatetime\n(S'short'\ntR.",
        b"cdatetime\ndatetime\n(S'\\x07\\xea\\x0d\\x18\\x03\\x05\\x05\\x00\\x00\\n'\ntR.",
        b"cdatetime\ndatetime\n)\x81.",
        b"cdatetime\ndatetime\n.",
        b"cdatetime\ntimedelta\n(I1\ntR.",
        b"c_codecs\nencode\n(Vx\nVrot13\ntR.",
        b"c_codecs\ndecode\n(Vx\nVlatin1\ntR.",
        b"I1\n}b.",
        b"P1\n.",
        b"I1\nQ.",
        b"\x82\x01.",
        b"]" * 5000 + b".",
        b"(" * 5000 + b".",
        b"}" * 5000 + b".",
        b"I1\n" + b"2" * 100 + b".",
        b"}}s.",
        b"}(I1\nI2\nu.",
        b"}(I1\nu.",
        b"(I1\nd.",
        b"}(Va\n}u.",
        b"}s.",
        b"u.",
        b"R.",
        b"\x85.",
        b"g7\n.",
        b"h\x07.",
        b"p1\n.",
        b"I1\nI2\n.",
        b".",
        b"",
        b"I1\n",
        b"I1\n.I2\n.",
        b"I1",
        b"Ix\n.",
        b"I" + b"9" * 10_000 + b"\n.",
        b"L" + b"9" * 100 + b"L\n.",
        b"p" + b"9" * 10_000 + b"\n.",
        b"\x8b\xff\xff\xff\x7f1.",
        b"\x8b\xff\xff\xff\xff1.",
        b"\x8b\x00\x10\x00\x00" + b"1" * 4096 + b".",
        b"X\xff\xff\xff\xff1.",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff1.",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f1.",
        b"X\x02\x00\x00\x00\xc3(.",
        b"V\\ud8\n.",
        b"Sunquoted\n.",
        b"S'it\n.",
        b"S'\\N{DASH}'\n.",
        b"S'\\q'\n.",
        b"S'" + b"a" * 100_000 + b"'\n.",
        b"V" + b"a" * 100_000 + b"\n.",
        b"\x80\x06I1\n.",
        b"\x00",
        b"\xff",
        b"<cb_config/>",
    ],
    ids=lambda raw: repr(raw[:30]),
)
def test_whatever_else_stands_there_is_refused_with_a_reason(raw: bytes) -> None:
    with pytest.raises(Refused, match=r"^(it|its|a|something|too) .*[a-zA-Z)]$"):
        read(raw)


@given(VALUE, PROTOCOL, st.data())
def test_what_is_cut_short_is_refused(value: object, protocol: int, data: st.DataObject) -> None:
    raw = pickle.dumps(value, protocol)
    with pytest.raises(Refused):
        read(raw[: data.draw(st.integers(0, len(raw) - 1))])


OPCODES = st.sampled_from([each.code.encode("latin-1") for each in pickletools.opcodes])


@given(st.lists(OPCODES | st.binary(max_size=6), max_size=30).map(b"".join))
@example(b"\x80\x05\x95\xff\xff\xff\xff\xff\xff\xff\xffI1\n.")
def test_anything_at_all_is_a_value_or_refused(raw: bytes) -> None:
    with contextlib.suppress(Refused):
        assert isinstance(read(raw), dict | str | bytes | int | datetime)


def test_a_memo_that_grows_without_end_costs_no_more_than_its_file() -> None:
    started = time.monotonic()
    with pytest.raises(Refused):
        read(b"I1\nr\xff\xff\xff\x7f" + b"".join(b"j\xff\xff\xff\x7f" for _ in range(pickled.DEEPEST)) + b".")
    text = pickle.BINUNICODE + (10_000).to_bytes(4, "little") + b"a" * 10_000
    doubled = b"q\x00" + b"".join(b"(h\x00h\x00tq\x00" for _ in range(60)) + b"."
    with pytest.raises(Refused):
        read(text + doubled)
    assert time.monotonic() - started < 5


def test_what_is_huge_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match="64 MiB"):
        read(bytes(pickled.LARGEST + 1))
    monkeypatch.setattr(pickled, "MOST", 1000)
    assert len(digests(pickle.dumps({f"/{number}": A for number in range(1000)}, 0))) == 1000
    with pytest.raises(Refused, match="1000 entries"):
        read(pickle.dumps({f"/{number}": A for number in range(1001)}, 0))


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        (digests, NIGHT),
        (digests, 3),
        (digests, {"home": A}),
        (digests, {"/home": A[:-1]}),
        (digests, {"/home": A.upper()}),
        (digests, {"/\ud800": A}),
        (last_run, 3),
        (last_run, {}),
        (last_run, NIGHT.replace(tzinfo=UTC)),
        (last_run, timedelta(1)),
        (youngest, NIGHT),
        (youngest, -1),
        (youngest, 1 << 64),
        (youngest, "3"),
        (youngest, True),
        (youngest, None),
        (youngest, 3.0),
    ],
    ids=lambda each: each.__name__ if callable(each) else repr(each),
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_value_of_another_kind_is_refused(
    reader: Callable[[bytes], object], value: object, protocol: int
) -> None:
    with pytest.raises(Refused):
        reader(pickle.dumps(value, protocol))


def test_nothing_of_ours_can_unpickle() -> None:
    modules = Path(cedarchest.__file__).parent.rglob("*.py")
    imports = (
        "import pickle\n",
        "from pickle ",
        "import _pickle",
        "import shelve",
        "import marshal",
        "import dill",
    )
    assert not [path for path in modules if any(each in path.read_text() for each in imports)]
