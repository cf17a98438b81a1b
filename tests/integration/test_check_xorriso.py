"""The check on images that xorriso wrote: what it accepts, what it notices, and pycdlib's opinion."""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import stat
import struct
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pycdlib
import pytest

from cedarchest.model.check import SessionCheck, check_session
from cedarchest.model.disc import StoredEntry
from cedarchest.model.findings import Finding
from cedarchest.model.image.iso9660 import Node, RockRidgeReader
from cedarchest.model.image.joliet import JolietReader
from cedarchest.model.image.joliet_names import joliet_losses
from cedarchest.model.image.volume import Volume, check_anchor, read_volume
from cedarchest.model.index import Entry, Kind
from cedarchest.model.media import BLOCK

pytestmark = pytest.mark.skipif(shutil.which("xorriso") is None, reason="xorriso is not installed")

LABEL = "TEST_1"
OPTIONS = [
    *("-hardlinks", "on", "-acl", "on", "-xattr", "any", "-md5", "off"),
    *("-local_charset", "UTF-8", "-joliet", "on", "-compliance", "joliet_long_names"),
    *("-padding", "0", "-volid", LABEL),
]
KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.DIR, stat.S_IFLNK: Kind.LINK, stat.S_IFIFO: Kind.FIFO}
NAMES = [
    *(
        b"new\nline",
        b"eq=ual",
        b"non\xffutf",
        b"ab\xe4\xb8",
        b"back\\slash",
        b"-dash",
        b"n" * 255,
        b"quote'\"`$x",
    ),
    *(b"a:b", b"a?b", b"a_b", b"A_B", b" lead", b"trail.", b".hid", b"\xc3\xa4\xc3\xb6", b"\xf0\x9f\x98\x80"),
    *(
        b"x" * 103 + b".gz",
        b"x" * 103 + b".gy",
        b"q" * 98 + b".tar.gz",
        b"tab\there",
        b"\x7f",
        b"\xef\xbf\xbe",
    ),
]


@dataclass(frozen=True)
class Image:
    """An image file and where its newest session stands."""

    path: Path
    start: int
    entries: list[Entry]

    def read(self, start: int, count: int) -> bytes:
        with self.path.open("rb") as image:
            return os.pread(image.fileno(), count * BLOCK, start * BLOCK)

    @property
    def volume(self) -> Volume:
        volume = read_volume(self.read, self.start, _fail)
        assert volume
        return volume

    def check(self, read: Callable[[int, int], bytes] | None = None, **fields: object) -> SessionCheck:
        values: dict[str, object] = {"volume_id": LABEL, "progress": lambda _: None, "earlier": {}}
        values |= {"expected": self.entries} | fields
        return check_session(read or self.read, self.start, self.volume.blocks, **values)  # type: ignore[arg-type]


def _fail(finding: Finding) -> None:
    pytest.fail(str(finding))


def scan(root: Path) -> list[Entry]:
    """The entries below a directory, in order of path."""
    seen: dict[int, bytes] = {}

    def walk(folder: bytes, prefix: bytes) -> Iterator[Entry]:
        for name in os.listdir(folder):  # noqa: PTH208 - names are bytes
            full, path = folder + b"/" + name, prefix + name
            info = os.lstat(full)
            kind = KINDS[stat.S_IFMT(info.st_mode)]
            names = os.listxattr(full, follow_symlinks=False)
            xattrs = {os.fsencode(one): os.getxattr(full, one, follow_symlinks=False) for one in names}
            yield Entry(
                path,
                kind,
                info.st_size if kind is Kind.FILE else 0,
                stat.S_IMODE(info.st_mode),
                info.st_uid,
                info.st_gid,
                info.st_mtime_ns,
                sha256=hashlib.sha256(Path(os.fsdecode(full)).read_bytes()).digest()
                if kind is Kind.FILE
                else b"",
                target=os.readlink(full) if kind is Kind.LINK else b"",  # noqa: PTH115 - bytes again
                hardlink=seen.get(info.st_ino, b"") if kind is Kind.FILE else b"",
                xattrs=tuple(sorted(xattrs.items())),
            )
            seen.setdefault(info.st_ino, path)
            if kind is Kind.DIR:
                yield from walk(full, path + b"/")

    return sorted(walk(os.fsencode(root), b""), key=lambda entry: entry.path)


def burn(image: Path, *arguments: str | Path) -> None:
    device = "-dev" if image.exists() else "-outdev"
    argv = [
        "xorriso",
        "-no_rc",
        *OPTIONS[:-2],
        device,
        f"stdio:{image}",
        *OPTIONS[-2:],
        *map(str, arguments),
        "-commit",
    ]
    subprocess.run(argv, env={**os.environ, "LC_ALL": "C"}, check=True, capture_output=True)


def acl(*rows: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *row) for row in rows)


NOBODY = 0xFFFFFFFF
ACL = acl((1, 7, NOBODY), (2, 6, 1000), (4, 5, NOBODY), (8, 4, 5), (16, 7, NOBODY), (32, 4, NOBODY))


def set_attributes(path: Path, **values: bytes) -> None:
    for name, value in values.items():
        try:
            os.setxattr(path, name.replace("__", "."), value)
        except OSError as error:
            pytest.skip(f"this file system has no {name}: {error}")


def make_tree(root: Path) -> None:
    """Everything that a staged day can hold."""
    day = root / "2026" / "11" / "22"
    day.mkdir(parents=True)
    for number, name in enumerate(NAMES):
        (day / os.fsdecode(name)).write_bytes(b"%d" % number * (number * 300))
    (day / "zero").touch()
    (day / "setuid").write_bytes(b"x")
    (day / "setuid").chmod(0o4755)
    os.chown(day / "setuid", 1000, 1001)
    (day / "setuid").chmod(0o4755)
    os.link(day / "setuid", day / "hard")
    os.link(day / "setuid", day / "another name of it")
    os.mkfifo(day / "pipe")
    for number, target in enumerate(["setuid", "/etc/passwd", "../../a//b/./c", "x/" * 500 + "y", "end/"]):
        (day / f"link{number}").symlink_to(target)
    (day / "empty").mkdir(mode=0o711)
    set_attributes(day / "empty", system__posix_acl_default=ACL)
    set_attributes(
        day / "setuid", user__big=bytes(range(256)) * 12, user__none=b"", system__posix_acl_access=ACL
    )
    deep = day
    for level in range(40):
        deep /= f"level{level:02}"
    deep.mkdir(parents=True)
    (deep / "leaf").write_bytes(b"leaf")
    family = day / "family"
    family.mkdir()
    for number in range(25):
        (family / f"a beginning of more than thirty characters {number:03}.jpg").write_bytes(b"%d" % number)
        (family / f"s{chr(0xE4 + number)}t").write_bytes(b"%d" % number)
    for folder in ("D:x", "D?x", "D_x"):
        (family / folder).mkdir()
        (family / folder / "f").write_text(folder)
    for number, path in enumerate(sorted(root.rglob("*"))):
        os.utime(path, ns=(0, (1_000_000_000 + number * 1000) * 10**9 + 7), follow_symlinks=False)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    if os.geteuid():
        pytest.skip("owners can be set by root only")
    folder = tmp_path_factory.mktemp("check")
    make_tree(folder / "tree")
    burn(folder / "image.iso", "-map", folder / "tree", "/")
    return Image(folder / "image.iso", 32, scan(folder / "tree"))


def nodes(image: Image) -> list[Node]:
    return list(
        RockRidgeReader(image.read, image.volume.tree, image.start, image.start + image.volume.blocks, _fail)
    )


def test_everything_a_day_can_hold_is_proven(image: Image) -> None:
    assert [str(finding) for finding in image.check().findings] == []


def test_the_copy_of_the_descriptors_is_that_of_the_session(image: Image) -> None:
    check_anchor(image.read, image.start, _fail)


def test_no_directory_is_moved_for_its_depth(image: Image) -> None:
    assert max(node.path.count(b"/") for node in nodes(image)) == 43


def test_links_of_a_group_share_serial_and_count(image: Image) -> None:
    group = [
        node for node in nodes(image) if node.path.endswith((b"/setuid", b"/hard", b"/another name of it"))
    ]
    assert {(node.nlink, node.serial, node.extents) for node in group} == {
        (3, group[0].serial, group[0].extents)
    }
    assert len(group) == 3


def test_joliet_loses_exactly_what_was_foretold(image: Image) -> None:
    assert image.volume.joliet
    end = image.start + image.volume.blocks
    shown = {node.path for node in JolietReader(image.read, image.volume.joliet, image.start, end, _fail)}
    losses = {loss.path: loss for loss in joliet_losses(image.entries)}
    for entry in image.entries:
        above = [entry.path[:at] for at, byte in enumerate(entry.path + b"/") if byte == 47]
        if not losses.keys() & set(above):
            assert entry.path.decode() in shown
    for loss in losses.values():
        assert loss.numbered or not loss.name or any(path.endswith("/" + loss.name) for path in shown)


@pytest.mark.parametrize("seed", [1, 2])
def test_names_that_become_equal_are_proven_in_both_trees(tmp_path: Path, seed: int) -> None:
    """Many small crowds: names that differ only in what a tree replaces, cuts or numbers."""
    dice = random.Random(seed)
    for number in range(120):
        folder = os.fsencode(tmp_path / "tree" / str(number))
        os.makedirs(folder)  # noqa: PTH103 - names are bytes
        for _ in range(dice.choice((2, 5, 14, 30))):
            path = folder + b"/" + crowded_name(dice)
            if len(path) - len(folder) > 256 or os.path.lexists(path):
                continue
            if dice.random() < 0.2:
                os.mkdir(path)  # noqa: PTH102
                path += b"/in it"
            with open(path, "wb") as file:  # noqa: PTH123
                file.write(dice.randbytes(4))
    burn(tmp_path / "image.iso", "-map", tmp_path / "tree", "/")
    result = Image(tmp_path / "image.iso", 32, scan(tmp_path / "tree")).check()
    assert [str(finding) for finding in result.findings] == []


def crowded_name(dice: random.Random) -> bytes:
    """A name that others drawn from the same dice are like to equal in one tree or the other."""
    long = dice.choice((b"", b"", b"x" * dice.randrange(25, 32), b"x" * dice.randrange(98, 105)))
    parts = (b":", b"?", b"_", b"\xff", b"\xfe", b"\1", b"0", b"1", b"00", b"a", b"A", b".")
    stem = long + b"".join(dice.choices(parts, k=dice.randrange(1, 4)))
    extension = dice.choice((b"", b"", b".", b".t", b".txt", b".?xt", b".long0", b".1", b"." + b"e" * 101))
    name = stem + extension
    return name if name not in (b".", b"..") else b"x"


def test_times_that_iso_9660_cannot_hold_are_not_compared(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for name, second in (("old", -3_000_000_000), ("before", -5), ("late", 7_000_000_000)):
        (tmp_path / "tree" / name).write_text(name)
        os.utime(tmp_path / "tree" / name, (0, second))
    burn(tmp_path / "image.iso", "-map", tmp_path / "tree", "/")
    result = Image(tmp_path / "image.iso", 32, scan(tmp_path / "tree")).check()
    assert [str(finding) for finding in result.findings] == []


def test_with_all_dates_set_to_mtime_every_time_is_known(image: Image, tmp_path: Path) -> None:
    tree = image.path.parent / "tree"
    burn(tmp_path / "image.iso", "-map", tree, "/", "-volume_date", "all_file_dates", "set_to_mtime")
    result = replace(image, path=tmp_path / "image.iso").check(one_time=True)
    assert [str(finding) for finding in result.findings] == []


def test_an_appended_session_shows_the_earlier_one_and_reads_none_of_it(image: Image, tmp_path: Path) -> None:
    path = tmp_path / "image.iso"
    shutil.copyfile(image.path, path)
    (tmp_path / "tree/23").mkdir(parents=True)
    (tmp_path / "tree/23/new").write_bytes(b"new" * 100_000)
    burn(path, "-map", tmp_path / "tree/23", "/2026/11/23")
    first_blocks = image.volume.blocks
    start = 32 + -(-first_blocks // 32) * 32
    entries = [entry._replace(path=b"2026/11/" + entry.path) for entry in scan(tmp_path / "tree")]
    appended = Image(path, start, entries)
    earlier = {stored.path: stored for stored in image.check().entries}
    asked: list[int] = []

    def read(block: int, count: int) -> bytes:
        asked.append(block)
        return appended.read(block, count)

    result = appended.check(read, earlier=earlier)
    assert [str(finding) for finding in result.findings] == []
    assert min(asked) == start
    check_anchor(appended.read, start, _fail)


def test_a_file_of_the_first_session_that_is_replaced_must_be_the_new_one(
    image: Image, tmp_path: Path
) -> None:
    path = tmp_path / "image.iso"
    shutil.copyfile(image.path, path)
    (tmp_path / "zero").write_bytes(b"no longer")
    burn(path, "-map", tmp_path / "zero", "/2026/11/22/zero")
    start = 32 + -(-image.volume.blocks // 32) * 32
    [entry] = [entry for entry in scan(tmp_path) if entry.path == b"zero"]
    appended = Image(path, start, [entry._replace(path=b"2026/11/22/zero")])
    earlier: dict[bytes, StoredEntry] = {stored.path: stored for stored in image.check().entries}
    assert [str(finding) for finding in appended.check(earlier=earlier).findings] == []


@pytest.mark.long
def test_no_bit_of_trees_or_data_changes_unnoticed(image: Image, tmp_path: Path) -> None:
    tree = image.path.parent / "tree"
    burn(tmp_path / "image.iso", "-map", tree, "/", "-volume_date", "all_file_dates", "set_to_mtime")
    dated = replace(image, path=tmp_path / "image.iso")
    raw = dated.path.read_bytes()
    dice = random.Random(11)
    first = dated.volume.tree.root_block
    owned = {
        block
        for node in nodes(dated)
        for at, size in node.extents
        for block in range(at, at - (-size // BLOCK))
    }
    last_of_trees = min(owned) - 2  # then comes the block that files without data point to
    places = [dice.randrange(first * BLOCK, last_of_trees * BLOCK) for _ in range(600)]
    places += [dice.choice(sorted(owned)) * BLOCK + dice.randrange(BLOCK) for _ in range(100)]
    unnoticed = []
    for at in places:
        bit = 1 << dice.randrange(8)
        changed = bytearray(raw)
        changed[at] ^= bit

        def read(block: int, count: int, changed: bytearray = changed) -> bytes:
            return bytes(changed[block * BLOCK : (block + count) * BLOCK])

        if not dated.check(read, one_time=True).findings and not _is_own_attribute(raw, at):
            unnoticed.append((at // BLOCK, at % BLOCK, bit))
    assert unnoticed == []


def _is_own_attribute(raw: bytes, at: int) -> bool:
    """Whether a byte is in the value of libisofs' device and inode, or of its start time."""
    for mark in (b"\x03\x04di\0", b"\x03\x04st\0"):
        begin = raw.rfind(mark, at - 20, at)
        if begin >= 0 and at <= begin + 5 + raw[begin + 5]:
            return True
    return False


def test_pycdlib_sees_the_same_paths_sizes_and_extents(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    for number in range(60):
        (tree / f"a/b/file_{number}.txt").write_bytes(b"x" * number * 100)
    burn(tmp_path / "image.iso", "-map", tree, "/")
    ours = Image(tmp_path / "image.iso", 32, scan(tree))
    theirs = pycdlib.PyCdlib()
    # pycdlib wants the volume to begin at block 0, so it gets what stands there
    theirs.open_fp(io.BytesIO(ours.path.read_bytes()))
    seen = {}
    for folder, _, files in theirs.walk(rr_path="/"):
        for name in files:
            record = theirs.get_record(rr_path=f"{folder.rstrip('/')}/{name}")
            place = record.extent_location() if record.get_data_length() else -1
            seen[f"{folder.rstrip('/')}/{name}"] = (record.get_data_length(), place)
    theirs.close()
    files = {
        "/" + node.path.decode(): (node.size, node.extents[0][0] if node.extents else -1)
        for node in nodes(ours)
        if node.kind is Kind.FILE
    }
    assert seen == files
