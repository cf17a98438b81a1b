"""The emulated drive under unmodified xorriso: every kind of disc, every kind of trouble."""

import errno
import fcntl
import filecmp
import mmap
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.burner import preload, sense, wire
from tests.burner.burner import ALWAYS, BLOCK, Burner, Effect, Fault, build_interposer
from tests.burner.by_xorriso import DEVICE, Done, burn, toc, told, xorriso
from tests.burner.sense import Sense

SEQUENTIAL = ["cd-r", "cd-rw", "dvd-r", "dvd-rw", "dvd+r", "dvd+r-dl", "bd-r"]
UNFORMATTED = ["dvd+rw", "bd-re"]
OVERWRITABLE = [*UNFORMATTED, "dvd-ram", "dvd-rw-overwrite"]
CDROM_DRIVE_STATUS = 0x5326
CDS_NO_DISC, CDS_TRAY_OPEN, CDS_DISC_OK = 1, 2, 4


@pytest.fixture(autouse=True)
def drive_is_possible() -> None:
    preload.require()


def flip_bit(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes((byte ^ 1,)))


@dataclass(frozen=True)
class Story:
    """A disc from blank to closed, and what was seen on the way."""

    profile: str
    blank: str
    burns: list[Done]
    appendable: str
    check: Done
    extracted: Path
    closed: str
    refused: Done
    burner: Burner


@pytest.fixture(scope="module", params=SEQUENTIAL + OVERWRITABLE)
def story(
    request: pytest.FixtureRequest, trees: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    preload.require()
    extracted = tmp_path_factory.mktemp("extracted")
    with Burner(request.param) as burner:
        blank = toc(burner)
        burns = [burn(burner, trees / "one"), burn(burner, trees / "two")]
        appendable = toc(burner)
        check = xorriso(burner, "-indev", DEVICE, "-check_md5_r", "sorry", "/", "--")
        xorriso(burner, "-osirrox", "on", "-indev", DEVICE, "-extract", "/", extracted)
        burns.append(burn(burner, trees / "three", "-close", "on"))
        closed = toc(burner)
        refused = burn(burner, trees / "two")
        yield Story(request.param, blank, burns, appendable, check, extracted, closed, refused, burner)


class TestADiscsLife:
    def test_a_new_disc_is_blank(self, story: Story) -> None:
        assert "Media status : is blank" in story.blank

    def test_every_burn_succeeds(self, story: Story) -> None:
        assert [done.returncode for done in story.burns] == [0, 0, 0], story.burns[-1].stderr

    def test_after_two_burns_the_toc_has_two_sessions(self, story: Story) -> None:
        assert story.appendable.count("ISO session  :") == 2
        assert "Media status : is written , is appendable" in story.appendable

    def test_the_checksums_match(self, story: Story) -> None:
        assert story.check.returncode == 0
        assert "File contents and their MD5 checksums match." in story.check.stdout

    def test_what_is_extracted_is_what_was_burnt(self, story: Story, trees: Path) -> None:
        for name in ("one", "two"):
            _, differing, missing = filecmp.cmpfiles(
                trees / name, story.extracted / name, ["random", "text"], shallow=False
            )
            assert (differing, missing) == ([], [])

    def test_a_closed_disc_takes_no_more(self, story: Story) -> None:
        if story.profile in OVERWRITABLE:
            assert story.refused.returncode == 0
        else:
            assert "Media status : is written , is closed" in story.closed
            assert story.refused.returncode == 5

    def test_no_program_tried_to_write_twice(self, story: Story) -> None:
        state = story.burner.state()
        assert (state.refused_overwrites, state.refused_addresses) == (0, 0)


@pytest.mark.parametrize("profile", ["cd-rw", "dvd-rw"])
def test_a_blanked_disc_can_be_burnt_anew(profile: str, trees: Path) -> None:
    with Burner(profile) as burner:
        burn(burner, trees / "one", "-close", "on")
        assert xorriso(burner, "-outdev", DEVICE, "-blank", "fast").returncode == 0
        assert burner.state().tracks == []
        assert burn(burner, trees / "two").returncode == 0
        assert toc(burner).count("ISO session  :") == 1


class TestWriteOnce:
    @pytest.mark.parametrize("profile", SEQUENTIAL)
    def test_a_block_cannot_be_written_twice(self, profile: str) -> None:
        with Burner(profile) as burner:
            first = wire.command(burner.socket, write_10(0), data=b"a" * BLOCK)
            again = wire.command(burner.socket, write_10(0), data=b"b" * BLOCK)
            assert (first.status, again.status) == (0, 2)
            assert sense_of(again) == sense.INVALID_WRITE_ADDRESS
            assert burner.state().refused_overwrites == 1
            assert burner.data_path.read_bytes() == b"a" * BLOCK

    def test_a_block_cannot_be_skipped(self) -> None:
        with Burner("bd-r") as burner:
            reply = wire.command(burner.socket, write_10(64), data=bytes(BLOCK))
            assert sense_of(reply) == sense.INVALID_WRITE_ADDRESS
            assert burner.state().refused_addresses == 1

    @pytest.mark.parametrize("profile", UNFORMATTED)
    def test_overwritable_media_want_a_format_and_then_take_any_block(self, profile: str) -> None:
        with Burner(profile) as burner:
            unformatted = wire.command(burner.socket, write_10(7), data=bytes(BLOCK))
            assert sense_of(unformatted) == sense.INCOMPATIBLE_MEDIUM
            wire.command(burner.socket, bytes((4, 0, 0, 0, 0, 0)), data=bytes(12))
            for byte in (b"a", b"b"):
                assert wire.command(burner.socket, write_10(7), data=byte * BLOCK).status == 0


def write_10(block: int) -> bytes:
    return bytes((0x2A, 0)) + block.to_bytes(4) + bytes((0, 0, 1, 0))


def sense_of(reply: wire.Reply) -> Sense:
    return Sense(reply.sense[2], reply.sense[12], reply.sense[13])


class TestFaults:
    @pytest.mark.parametrize(
        "code",
        [(3, 0x0C, 0), (4, 0x09, 0), (5, 0x21, 2), (7, 0x27, 0), (2, 0x3A, 0), (0xB, 0, 0)],
        ids=lambda code: str(Sense(*code)),
    )
    def test_a_write_error_fails_the_burn(self, code: tuple[int, int, int], trees: Path) -> None:
        with Burner("bd-r") as burner:
            burner.faults([Fault("write", 400, sense=Sense(*code))])
            done = burn(burner, trees / "one")
            assert done.returncode == 5
            assert "SCSI error on write" in done.stderr
            assert burner.fired() == [1]

    @pytest.mark.parametrize(
        "code", [sense.NOT_READY_LONG_WRITE, sense.NOT_READY_BECOMING, sense.MEDIUM_MAY_HAVE_CHANGED], ids=str
    )
    def test_a_transient_condition_is_retried(self, code: Sense, trees: Path) -> None:
        with Burner("dvd+r") as burner:
            burner.faults([Fault("write", 400, times=3, sense=code)])
            assert burn(burner, trees / "one").returncode == 0
            assert burner.fired() == [3]
            check = xorriso(burner, "-indev", DEVICE, "-check_md5_r", "sorry", "/", "--")
            assert check.returncode == 0

    def test_a_read_error_is_found_by_check_media(self, trees: Path) -> None:
        with Burner("dvd+r") as burner:
            burn(burner, trees / "one")
            burner.faults([Fault("read", 400, times=ALWAYS)])
            done = xorriso(burner, "-indev", DEVICE, "-check_media", "--")
            assert "- unreadable" in done.stdout

    def test_a_fault_can_be_tied_to_any_opcode(self, trees: Path) -> None:
        with Burner("dvd+r") as burner:
            burner.faults([Fault("5b", sense=Sense(5, 0x72, 3), times=ALWAYS)])
            burn(burner, trees / "one")
            assert burner.fired()[0] > 0
            assert burner.state().closed_sessions == 0

    def test_a_command_can_be_slow(self) -> None:
        with Burner("dvd+r") as burner:
            burner.faults([Fault("00", effect=Effect.SLOW, seconds=0.3)])
            begin = time.monotonic()
            wire.command(burner.socket, bytes(6))
            assert time.monotonic() - begin >= 0.3

    @pytest.mark.parametrize("profile", ["cd-r", "dvd-r", "dvd+r", "bd-r"])
    def test_power_loss_leaves_a_damaged_session_that_can_be_closed(self, profile: str, trees: Path) -> None:
        with Burner(profile) as burner:
            burn(burner, trees / "two")
            burner.faults([Fault("write", self._second_start(burner) + 100, effect=Effect.POWER_LOSS)])
            lost = burn(burner, trees / "one")
            assert lost.returncode == 5
            assert "Lost connection to drive" in lost.stderr
            assert burner.has_lost_power()
            assert burner.state().tracks[-1].damaged
            burner.start()
            assert "next track is damaged" in toc(burner)
            assert xorriso(burner, "-outdev", DEVICE, "-close_damaged", "as_needed").returncode == 0
            assert not burner.state().tracks[-1].damaged
            # The torn session is the last one now: its tree cannot be read, that of the first can.
            assert burn(burner, trees / "three", "-load", "session", "1").returncode == 0
            assert toc(burner).count("ISO session  :") == 3

    @staticmethod
    def _second_start(burner: Burner) -> int:
        nwa = next(line for line in toc(burner).splitlines() if line.startswith("Media nwa"))
        return int(nwa.split(":")[1].strip().removesuffix("s"))

    def test_a_writer_killed_in_the_middle_leaves_a_damaged_track(self, trees: Path) -> None:
        with Burner("bd-r") as burner:
            burner.faults([Fault("write", 400, effect=Effect.SLOW, seconds=1)])
            argv = ["xorriso", "-no_rc", "-write_type", "tao", "-outdev", DEVICE]
            argv += ["-map", str(trees / "one"), "/one", "-commit"]
            with subprocess.Popen(argv, env=burner.env(), stderr=subprocess.DEVNULL) as writer:
                while burner.fired() != [1]:
                    time.sleep(0.01)
                writer.send_signal(signal.SIGKILL)
            assert burner.state().tracks[-1].damaged

    def test_a_drive_can_vanish_and_come_back(self, trees: Path) -> None:
        with Burner("dvd+r") as burner:
            burner.faults([Fault("write", 400, effect=Effect.GONE)])
            assert burn(burner, trees / "one").returncode == 5
            with burner.attached(), pytest.raises(OSError, match="No such device or address"):
                os.open(DEVICE, os.O_RDONLY | os.O_NONBLOCK)
            burner.plug()
            assert "Media status" in toc(burner)


class TestTheTray:
    def test_an_empty_drive_has_no_medium(self) -> None:
        with Burner("none") as burner:
            assert "Media status : is not present" in toc(burner)
            with burner.attached(), pytest.raises(OSError, match="No medium found"):
                os.open(DEVICE, os.O_RDONLY)

    def test_the_drive_status_follows_tray_and_disc(self) -> None:
        with Burner("dvd+r") as burner, burner.attached():
            drive = os.open(DEVICE, os.O_RDONLY | os.O_NONBLOCK)
            seen = [fcntl.ioctl(drive, CDROM_DRIVE_STATUS, 0)]
            burner.eject()
            seen.append(fcntl.ioctl(drive, CDROM_DRIVE_STATUS, 0))
            burner.exchange("none")
            os.close(os.open(DEVICE, os.O_RDONLY | os.O_NONBLOCK))  # takes the unit attention
            seen.append(fcntl.ioctl(drive, CDROM_DRIVE_STATUS, 0))
            os.close(drive)
        assert seen == [CDS_DISC_OK, CDS_TRAY_OPEN, CDS_NO_DISC]

    def test_xorriso_ejects_and_loads(self, trees: Path) -> None:
        with Burner("dvd+r") as burner:
            xorriso(burner, "-outdev", DEVICE, "-eject", "all")
            assert burner.tray_open
            assert burn(burner, trees / "one").returncode == 0
            assert not burner.tray_open

    def test_another_disc_is_seen_and_the_first_comes_back(self, trees: Path) -> None:
        with Burner("dvd+r") as burner:
            burn(burner, trees / "one")
            first = burner.exchange("bd-r")
            assert "Media current: BD-R" in toc(burner)
            assert burner.state().tracks == []
            burner.exchange("dvd+r", directory=first)
            again = toc(burner)
            assert "Media current: DVD+R" in again
            assert again.count("ISO session  :") == 1

    def test_a_reader_is_told_once_that_the_disc_may_have_changed(self, trees: Path) -> None:
        with Burner("dvd+r") as burner, burner.attached():
            burn(burner, trees / "one")
            drive = os.open(DEVICE, os.O_RDONLY)
            burner.exchange("bd-r")
            with pytest.raises(OSError, match="Input/output error"):
                os.pread(drive, BLOCK, 0)
            os.close(drive)


def test_a_disc_without_room_for_the_gap_to_another_session_is_closed(trees: Path) -> None:
    with Burner("dvd+r", blocks=2500) as burner:
        assert burn(burner, trees / "one", "-close", "off").returncode == 0
        assert burner.state().final
        assert told(toc(burner), "Media status") == ["is written , is closed"]


def test_an_image_too_big_is_refused_before_anything_is_written(trees: Path) -> None:
    with Burner("dvd+r", blocks=500) as burner:
        done = burn(burner, trees / "one")
        assert done.returncode == 5
        assert "exceeds free space on media" in done.stderr
        assert "2A" not in burner.counts()


def test_a_drive_held_exclusively_is_busy(trees: Path) -> None:
    with Burner("dvd+r") as burner, burner.attached():
        holder = os.open(DEVICE, os.O_RDWR | os.O_EXCL | os.O_NONBLOCK)
        done = burn(burner, trees / "one")
        with pytest.raises(OSError, match="busy"):
            os.open(DEVICE, os.O_RDONLY | os.O_EXCL)
        os.close(holder)
        assert done.returncode == 5
        assert "busy" in done.stderr
        assert burn(burner, trees / "one").returncode == 0


@pytest.fixture
def burnt(trees: Path) -> Iterator[Burner]:
    """A DVD+R with one session, seen by this process as /dev/sr0."""
    with Burner("dvd+r") as burner, burner.attached():
        burn(burner, trees / "one")
        yield burner


@pytest.fixture
def drive(burnt: Burner) -> Iterator[int]:
    descriptor = os.open(DEVICE, os.O_RDONLY | os.O_CLOEXEC)
    yield descriptor
    os.close(descriptor)


def aligned(blocks: int) -> mmap.mmap:
    return mmap.mmap(-1, blocks * BLOCK)


class TestPlainReads:
    def test_reads_of_any_kind_equal_the_backing_file(self, burnt: Burner, drive: int) -> None:
        recorded = burnt.data_path.read_bytes()
        size = burnt.state().tracks[0].size * BLOCK
        assert os.lseek(drive, 0, os.SEEK_END) == size
        assert os.pread(drive, 70_001, 12_345) == recorded[12_345 : 12_345 + 70_001]
        os.lseek(drive, 4 * BLOCK, os.SEEK_SET)
        assert os.read(drive, 10) + os.read(drive, 10) == recorded[4 * BLOCK : 4 * BLOCK + 20]
        with Path(DEVICE).open("rb") as file:
            assert file.read() == recorded.ljust(size, b"\0")

    def test_preadv_with_o_direct_fills_aligned_buffers(self, burnt: Burner) -> None:
        recorded = burnt.data_path.read_bytes()
        drive = os.open(DEVICE, os.O_RDONLY | os.O_DIRECT)
        with aligned(16) as one, aligned(100) as two:
            assert os.preadv(drive, [one, two], 8 * BLOCK) == 116 * BLOCK
            assert one[:] + two[:] == recorded[8 * BLOCK : 124 * BLOCK]
        os.close(drive)

    def test_o_direct_refuses_what_is_not_aligned(self, burnt: Burner) -> None:
        drive = os.open(DEVICE, os.O_RDONLY | os.O_DIRECT)
        with aligned(1) as buffer, pytest.raises(OSError, match="Invalid argument"):
            os.preadv(drive, [buffer], 100)
        with pytest.raises(OSError, match="Invalid argument"):
            os.pread(drive, 100, 0)
        os.close(drive)

    def test_a_read_over_the_end_is_short(self, burnt: Burner, drive: int) -> None:
        size = burnt.state().tracks[0].size * BLOCK
        assert len(os.pread(drive, 64 * BLOCK, size - BLOCK)) == BLOCK
        assert os.pread(drive, BLOCK, size) == b""

    def test_a_medium_error_gives_eio(self, burnt: Burner, drive: int) -> None:
        burnt.faults([Fault("read", 100, times=ALWAYS)])
        assert len(os.pread(drive, 100 * BLOCK, 0)) == 100 * BLOCK
        with pytest.raises(OSError, match="Input/output error"):
            os.pread(drive, 101 * BLOCK, 0)

    def test_a_flipped_bit_is_read_flipped(self, burnt: Burner, drive: int, trees: Path) -> None:
        wanted = (trees / "one" / "random").read_bytes()[:BLOCK]
        recorded = burnt.data_path.read_bytes()
        offset = recorded.index(wanted)
        flip_bit(burnt.data_path, offset)
        assert os.pread(drive, 1, offset)[0] == wanted[0] ^ 1
        check = xorriso(burnt, "-indev", DEVICE, "-check_md5_r", "sorry", "/", "--")
        assert check.returncode != 0

    def test_an_open_descriptor_sees_the_session_another_process_burns(
        self, burnt: Burner, drive: int, trees: Path
    ) -> None:
        before = os.lseek(drive, 0, os.SEEK_END)
        assert burn(burnt, trees / "two").returncode == 0
        track = burnt.state().tracks[1]
        assert os.lseek(drive, 0, os.SEEK_END) == track.end * BLOCK > before
        recorded = burnt.data_path.read_bytes()
        assert (
            os.pread(drive, BLOCK, (track.start + 16) * BLOCK)
            == recorded[(track.start + 16) * BLOCK :][:BLOCK]
        )

    def test_the_run_out_of_a_cd_track_cannot_be_read(self, trees: Path) -> None:
        with Burner("cd-r") as burner, burner.attached():
            burn(burner, trees / "one", "-write_type", "tao")
            end = burner.state().tracks[0].end
            drive = os.open(DEVICE, os.O_RDONLY)
            assert os.lseek(drive, 0, os.SEEK_END) == end * BLOCK
            assert len(os.pread(drive, BLOCK, (end - 3) * BLOCK)) == BLOCK
            with pytest.raises(OSError, match="Input/output error"):
                os.pread(drive, BLOCK, (end - 2) * BLOCK)
            os.close(drive)

    def test_a_child_that_closes_our_descriptors_leaves_ours_alone(self, drive: int) -> None:
        subprocess.run(["true"], check=True, close_fds=True)
        assert len(os.pread(drive, BLOCK, 0)) == BLOCK


class TestTheNode:
    def test_it_is_a_block_device_by_path_and_descriptor(self, drive: int) -> None:
        by_path, by_descriptor = Path(DEVICE).stat(), os.fstat(drive)
        assert stat.S_ISBLK(by_path.st_mode)
        assert by_path.st_rdev == by_descriptor.st_rdev == os.makedev(11, 0)
        assert os.access(DEVICE, os.R_OK | os.W_OK)
        assert stat.S_ISBLK(Path(DEVICE).lstat().st_mode)

    def test_xorriso_takes_the_generic_node_as_well(self, burnt: Burner) -> None:
        assert "Media current: DVD+R" in xorriso(burnt, "-outdev", "/dev/sg0", "-toc").stdout

    def test_links_lead_to_it(self, burnt: Burner, tmp_path: Path) -> None:
        link, second = tmp_path / "burner", tmp_path / "second"
        link.symlink_to(DEVICE)
        second.symlink_to("burner")
        assert second.resolve() == Path(DEVICE)
        assert link.is_block_device()
        assert second.is_symlink()
        os.close(os.open(second, os.O_RDONLY))
        argv = ["realpath", str(second)]
        assert subprocess.check_output(argv, env=burnt.env(), text=True).strip() == DEVICE
        argv = ["stat", "-L", "-c", "%F", str(second)]
        assert subprocess.check_output(argv, env=burnt.env(), text=True).strip() == "block special file"

    def test_calls_that_a_device_takes_do_no_harm(self, drive: int) -> None:
        fcntl.flock(drive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.posix_fadvise(drive, 0, 0, os.POSIX_FADV_DONTNEED)
        os.fsync(drive)
        os.fdatasync(drive)
        with pytest.raises(OSError, match="Read-only file system"):
            os.write(drive, b"x")
        copy = os.dup(drive)
        assert os.pread(copy, 16, 0) == os.pread(drive, 16, 0)
        os.close(copy)

    def test_mountinfo_can_be_another_file(
        self, burnt: Burner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "mountinfo").write_text("36 35 11:0 / /mnt rw - iso9660 /dev/sr0 ro\n")
        monkeypatch.setenv("FAKEBURN_MOUNTINFO", str(tmp_path / "mountinfo"))
        assert "11:0" in Path("/proc/self/mountinfo").read_text()
        assert "11:0" in subprocess.check_output(["cat", "/proc/self/mountinfo"], text=True)

    def test_without_a_server_name_nothing_is_faked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FAKEBURN_DEVS", "/dev/no-such-drive")
        with pytest.raises(FileNotFoundError):
            os.open("/dev/no-such-drive", os.O_RDONLY)

    def test_python_sleeps_as_long_as_it_says(self, burnt: Burner) -> None:
        begin = time.monotonic()
        time.sleep(0.1)
        assert time.monotonic() - begin >= 0.1

    def test_a_program_started_by_hand_reads_it(self, burnt: Burner) -> None:
        read = subprocess.check_output(["dd", f"if={DEVICE}", "bs=32k", "status=none"], env=burnt.env())
        size = burnt.state().tracks[0].size * BLOCK
        assert read == burnt.data_path.read_bytes().ljust(size, b"\0")


def test_a_burner_leaves_no_process_and_no_file() -> None:
    with Burner("dvd+r") as burner:
        burner.kill()
        power = [burner.running]
        burner.start()
        power.append(burner.running)
    assert [*power, burner.running] == [False, True, False]
    assert not burner.home.exists()


def test_many_may_build_the_interposer_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    with ThreadPoolExecutor(4) as pool:
        built = list(pool.map(lambda _: build_interposer(), range(4)))
    assert set(built) == {built[0]}
    assert [path.name for path in (tmp_path / "burner").iterdir()] == [built[0].name]


def test_errno_of_an_open_without_a_server_is_that_of_a_missing_drive(tmp_path: Path) -> None:
    with Burner("none") as burner, burner.attached():
        burner.kill()
        with pytest.raises(OSError, match="No such device or address") as failure:
            os.open(DEVICE, os.O_RDONLY)
    assert failure.value.errno == errno.ENXIO
