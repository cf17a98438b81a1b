"""Every kind of disc under unmodified xorriso: what it is told to be, formats, discs for a single session."""

import subprocess
import time
from pathlib import Path

import pytest
from tests.burner import formats, preload, sense, wire
from tests.burner.burner import ALWAYS, BLOCK, Burner, Effect, Fault
from tests.burner.by_xorriso import DEVICE, burn, toc, told, xorriso
from tests.burner.profiles import KINDS, Profile
from tests.burner.sense import Sense

PRODUCTS = {
    "cd-r": "97m34s23f/79m59s70f , Mitsubishi Chemical Corporation",
    "cd-rw": "97m34s23f/79m59s70f , Mitsubishi Chemical Corporation",
    "dvd-r": "MCC_03RG20__ , Mitsubishi Chemical Corporation",
    "dvd-r-dl": "MKM_01RD30__ , Mitsubishi Kagaku Media Co.",
    "dvd-rw": "MCC_01RW4X__ , Mitsubishi Chemical Corporation",
    "dvd-rw-minimal": "MCC_01RW4X__ , Mitsubishi Chemical Corporation",
    "dvd-rw-minimal-unsaid": "MCC_01RW4X__ , Mitsubishi Chemical Corporation",
    "dvd-rw-overwrite": "MCC_01RW4X__ , Mitsubishi Chemical Corporation",
    "dvd+rw": "MKM/A02/48 , Mitsubishi Kagaku Media Co.",
    "dvd+r": "MCC/003/48 , Mitsubishi Chemical Corporation",
    "dvd+r-dl": "MKM/003/48 , Mitsubishi Kagaku Media Co.",
    "bd-r": "VERBAT/IMe/0 , Mitsubishi Kagaku Media Co.",
    "bd-r-dl": "VERBAT/IMf/0 , Mitsubishi Kagaku Media Co.",
    "bd-r-xl": "VERBAT/IMk/0 , Mitsubishi Kagaku Media Co.",
    "bd-r-xl4": "SONY__/NQ1/0 , Sony Corporation",
    "bd-re": "SONY__/ES1/0 , Sony Corporation",
    "bd-re-dl": "SONY__/ED4/0 , Sony Corporation",
    "bd-re-xl": "SONY__/ET1/0 , Sony Corporation",
}
"""What libburn makes of maker and type; the revision of DVD+ it takes from the second letter of the type."""

SINGLE = ["dvd-r-dl", "dvd-rw-minimal"]


@pytest.fixture(autouse=True)
def drive_is_possible() -> None:
    preload.require()


def format_unit(burner: Burner, form: int, blocks: int, sub_type: int = 0) -> Sense | None:
    """Send FORMAT UNIT; how it failed."""
    descriptor = blocks.to_bytes(4) + bytes((form << 2 | sub_type, 0, 0, 0))
    reply = wire.command(
        burner.socket, bytes((4, 0x11, 0, 0, 0, 0)), data=bytes((0, 0x82, 0, 8)) + descriptor
    )
    return Sense(reply.sense[2], reply.sense[12], reply.sense[13]) if reply.status else None


class TestWhatADiscIs:
    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "none"])
    def test_it_has_its_capacity_and_tells_its_maker(self, kind: str) -> None:
        with Burner(kind) as burner:
            said = toc(burner)
        assert told(said, "Media product") == ([PRODUCTS[kind]] if kind in PRODUCTS else [])
        writable = told(said, "Media blocks")[0].split(" , ")[1]
        assert writable == f"{KINDS[kind].capacity} writable"

    def test_a_dvd_ram_tells_no_maker(self) -> None:
        assert sorted({*KINDS} - {*PRODUCTS}) == ["dvd-ram", "none"]

    @pytest.mark.parametrize("kind", ["cd-r", "dvd+r", "dvd-ram", "bd-re"])
    def test_the_drive_lists_its_write_speeds(self, kind: str) -> None:
        with Burner(kind) as burner:
            said = xorriso(burner, "-outdev", DEVICE, "-list_speeds").stdout
        rates = [int(line.split("k ,")[0]) for line in told(said, "Write speed")]
        assert len(rates) == 2
        assert rates[0] == 2 * rates[1] or kind == "dvd-ram"

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["bd-r-dl", "bd-r-xl", "bd-r-xl4", "bd-re-dl", "bd-re-xl"])
    def test_large_discs_take_sessions(self, kind: str, trees: Path) -> None:
        with Burner(kind) as burner:
            assert [burn(burner, trees / name).returncode for name in ("one", "two")] == [0, 0]
            assert toc(burner).count("ISO session  :") == 2
            check = xorriso(burner, "-indev", DEVICE, "-check_md5_r", "sorry", "/", "--")
        assert "File contents and their MD5 checksums match." in check.stdout


class TestSingleSessions:
    @pytest.mark.parametrize("kind", SINGLE)
    def test_it_is_told_and_refused_without_being_closed(self, kind: str, trees: Path) -> None:
        with Burner(kind) as burner:
            assert "will need -close" in told(toc(burner), "Media status")[0]
            assert burn(burner, trees / "one", "-close", "off").returncode == 5
            assert burner.state().tracks == []

    @pytest.mark.parametrize("kind", SINGLE)
    def test_one_session_closes_the_disc(self, kind: str, trees: Path) -> None:
        with Burner(kind) as burner:
            assert burn(burner, trees / "one", "-close", "on").returncode == 0
            assert told(toc(burner), "Media status") == ["is written , is closed"]
            assert burn(burner, trees / "two", "-close", "on").returncode == 5
            check = xorriso(burner, "-indev", DEVICE, "-check_md5_r", "sorry", "/", "--")
            assert check.returncode == 0
            assert burner.state().refused_overwrites == 0

    def test_xorriso_closes_the_disc_when_its_drive_offered_increments_and_then_refused_them(
        self, trees: Path
    ) -> None:
        """Source: man xorriso, -close as_needed."""
        with Burner("dvd-rw-minimal-unsaid") as burner:
            assert told(toc(burner), "Media status") == ["is blank"]
            assert "[5 64 00]" in burn(burner, trees / "one", "-close", "off").stderr
            assert burn(burner, trees / "one", "-close", "as_needed").returncode == 0
            assert told(toc(burner), "Media status") == ["is written , is closed"]

    def test_a_track_of_unknown_size_is_refused_by_a_minimally_blanked_disc(self) -> None:
        with Burner("dvd-rw-minimal") as burner:
            reply = wire.command(burner.socket, bytes((0x2A, *bytes(7), 1, 0)), data=bytes(BLOCK))
        assert Sense(reply.sense[2], reply.sense[12], reply.sense[13]) == sense.ILLEGAL_MODE_FOR_TRACK

    @pytest.mark.parametrize(("mode", "incremental"), [("all", True), ("deformat_quickest", False)])
    def test_what_a_dvd_rw_takes_depends_on_how_it_was_blanked(
        self, mode: str, incremental: bool, trees: Path
    ) -> None:
        with Burner("dvd-rw") as burner:
            assert burn(burner, trees / "one", "-close", "on").returncode == 0
            assert xorriso(burner, "-outdev", DEVICE, "-blank", mode).returncode == 0
            assert (burner.state().tracks, burner.state().incremental) == ([], incremental)
            assert burn(burner, trees / "two", "-close", "off").returncode == (0 if incremental else 5)


class TestFormats:
    @pytest.mark.parametrize(
        ("kind", "mode", "capacity"),
        [
            ("bd-r", "as_needed", 11826176),
            ("bd-re", "as_needed", 11826176),
            ("bd-re", "without_spare", 12219392),
            ("dvd-ram", "by_index_1", 2295072),
            ("dvd-rw", "full", 2297888),
            pytest.param("bd-re", "by_index_3", 12088320, marks=pytest.mark.slow),
            pytest.param("bd-re-dl", "without_spare", 24438784, marks=pytest.mark.slow),
            pytest.param("bd-r-dl", "as_needed", 23652352, marks=pytest.mark.slow),
            pytest.param("bd-r-xl", "as_needed", 47305728, marks=pytest.mark.slow),
            pytest.param("bd-r-xl4", "as_needed", 60403712, marks=pytest.mark.slow),
        ],
    )
    def test_a_formatted_disc_has_the_capacity_of_its_format(
        self, kind: str, mode: str, capacity: int, trees: Path
    ) -> None:
        with Burner(kind) as burner:
            assert xorriso(burner, "-outdev", DEVICE, "-format", mode).returncode == 0
            blank = toc(burner)
            assert told(blank, "Media status") == ["is blank"]
            assert f" , {capacity} writable" in told(blank, "Media blocks")[0]
            assert [burn(burner, trees / name).returncode for name in ("one", "two")] == [0, 0]
            assert toc(burner).count("ISO session  :") == 2

    def test_a_formatted_bd_r_stays_write_once_with_spare_blocks(self, trees: Path) -> None:
        with Burner("bd-r") as burner:
            xorriso(burner, "-outdev", DEVICE, "-format", "as_needed")
            said = xorriso(burner, "-outdev", DEVICE, "-list_formats").stdout
            assert told(said, "BD Spare Area") == ["0 blocks consumed, 393216 blocks available"]
            assert told(said, "Media current")[0] == "BD-R sequential recording"
            assert burn(burner, trees / "one").returncode == 0
            reply = wire.command(burner.socket, bytes((0x2A, *bytes(7), 1, 0)), data=bytes(BLOCK))
            assert reply.status == 2
            assert burner.state().refused_overwrites == 1

    def test_a_bd_r_is_formatted_once_and_only_blank(self, trees: Path) -> None:
        with Burner("bd-r") as burner:
            burn(burner, trees / "one")
            assert format_unit(burner, formats.Format.FULL, 11826176, 1) == sense.INVALID_FIELD
            burner.exchange("bd-r")
            wire.command(burner.socket, bytes(6))  # takes the unit attention
            assert format_unit(burner, formats.Format.FULL, 11826176, 0) == sense.INVALID_PARAMETER
            assert format_unit(burner, formats.Format.FULL, 11826176, 1) is None
            assert format_unit(burner, formats.Format.FULL, 11826176, 1) == sense.INVALID_FIELD

    def test_sizes_beyond_what_is_offered_are_refused(self) -> None:
        with Burner("bd-re") as burner:
            wire.command(burner.socket, bytes(6))
            for blocks in (11564000, 12219392):
                assert format_unit(burner, formats.Format.BD_RE_SPARES, blocks) == sense.INVALID_PARAMETER
            assert format_unit(burner, formats.Format.BD_RE_SPARES, 11600000) is None
            assert burner.state().capacity == 11600000

    def test_a_dvd_rw_goes_from_one_profile_to_the_other_and_back(self, trees: Path) -> None:
        with Burner("dvd-rw") as burner:
            seen = [burner.state().profile]
            for command, mode in [("-format", "full"), ("-blank", "deformat")]:
                assert xorriso(burner, "-outdev", DEVICE, command, mode).returncode == 0
                seen.append(burner.state().profile)
            assert seen == [Profile.DVD_RW, Profile.DVD_RW_OVERWRITE, Profile.DVD_RW]
            assert burner.state().capacity == KINDS["dvd-rw"].capacity
            assert burn(burner, trees / "one").returncode == 0

    def test_a_quickly_formatted_dvd_rw_grows_with_what_is_written(self, trees: Path) -> None:
        with Burner("dvd-rw", blocks=3000) as burner:
            wire.command(burner.socket, bytes(6))
            assert format_unit(burner, formats.Format.DVD_RW_QUICK, 64) is None
            assert burner.state().intermediate
            assert burn(burner, trees / "one").returncode == 0
            first = burner.state()
            assert (first.intermediate, first.formatted_blocks % 16) == (False, 0)
            assert 600 < first.formatted_blocks < first.capacity
            assert burn(burner, trees / "two").returncode == 0
            assert burner.state().formatted_blocks > first.formatted_blocks
            check = xorriso(burner, "-indev", DEVICE, "-check_md5_r", "sorry", "/", "--")
            assert "File contents and their MD5 checksums match." in check.stdout

    def test_restricted_overwrite_takes_whole_ecc_blocks_only(self) -> None:
        with Burner("dvd-rw-overwrite") as burner:
            wire.command(burner.socket, bytes(6))
            sizes = {(0, 16): 0, (8, 16): 2, (0, 8): 2, (2297888, 16): 2}
            for (block, count), status in sizes.items():
                cdb = bytes((0x2A, 0)) + block.to_bytes(4) + bytes((0, 0, count, 0))
                assert wire.command(burner.socket, cdb, data=bytes(count * BLOCK)).status == status


class TestFaultsOfMedia:
    def test_blocks_that_were_never_written_read_as_zeros_from_a_bd(self, trees: Path) -> None:
        with Burner("bd-r") as burner:
            burn(burner, trees / "one")
            read = bytes((0x28, 0)) + (5000).to_bytes(4) + bytes((0, 0, 1, 0))
            assert wire.command(burner.socket, read, length=BLOCK).status == 2
            burner.read_unwritten_as_zeros()
            assert wire.command(burner.socket, read, length=BLOCK).data == bytes(BLOCK)

    def test_a_lost_write_is_reported_done_and_found_by_the_checksums(self, trees: Path) -> None:
        with Burner("bd-r") as burner:
            burner.faults([Fault("write", 400, effect=Effect.LOST)])
            assert burn(burner, trees / "one").returncode == 0
            assert burner.fired() == [1]
            check = xorriso(burner, "-indev", DEVICE, "-check_md5_r", "sorry", "/", "--")
            assert check.returncode != 0

    def test_an_area_can_be_slow(self, trees: Path) -> None:
        with Burner("dvd+r") as burner:
            burn(burner, trees / "one")
            burner.faults([Fault("read", 100, end=200, times=ALWAYS, effect=Effect.SLOW, seconds=0.2)])
            took = []
            for block in (50, 150, 250):
                begin = time.monotonic()
                read = bytes((0x28, 0)) + block.to_bytes(4) + bytes((0, 0, 1, 0))
                assert wire.command(burner.socket, read, length=BLOCK).status == 0
                took.append(time.monotonic() - begin >= 0.2)
            assert took == [False, True, False]
            assert burner.fired() == [1]

    def test_a_close_that_is_reported_failed_can_have_been_done(self, trees: Path) -> None:
        with Burner("dvd+r") as burner:
            burner.faults([Fault("5b", effect=Effect.LATE_SENSE, sense=Sense(5, 0x72, 3), times=ALWAYS)])
            done = burn(burner, trees / "one")
            assert done.returncode != 0
            assert "[5 72 03]" in done.stderr
            assert burner.state().closed_sessions == 1
            burner.faults([])
            check = xorriso(burner, "-indev", DEVICE, "-check_md5_r", "sorry", "/", "--")
            assert check.returncode == 0

    def test_a_drive_is_not_ready_for_a_while_after_a_disc_was_loaded(self) -> None:
        with Burner("none") as burner:
            burner.start_slowly(0.5)
            burner.exchange("bd-r")
            wire.command(burner.socket, bytes(6))  # takes the unit attention
            reply = wire.command(burner.socket, bytes(6))
            assert Sense(reply.sense[2], reply.sense[12], reply.sense[13]) == sense.NOT_READY_BECOMING
            time.sleep(0.6)
            assert wire.command(burner.socket, bytes(6)).status == 0

    @pytest.mark.slow
    def test_xorriso_waits_for_a_drive_that_becomes_ready(self) -> None:
        with Burner("none") as burner:
            burner.start_slowly(1.5)
            burner.exchange("bd-r")
            said = subprocess.check_output(
                ["xorriso", "-no_rc", "-outdev", DEVICE, "-toc"],
                env=burner.env(max_sleep_us=None),
                text=True,
                timeout=60,
            )
            assert told(said, "Media status") == ["is blank"]
            assert any("-> 2/04/01" in line for line in burner.log())
