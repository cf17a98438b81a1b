from __future__ import annotations

import os
from pathlib import Path

import pytest

from cedarchest.config.load import NAME, SYSTEM_STATE, VARIABLE, find_config, state_folder
from cedarchest.errors import ConfigError

USER = 1000 if os.getuid() == 0 else os.getuid()
OTHER = 1001

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root gives files to others")


class Home:
    """A current folder, a home and a system folder, all the user's and empty."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cwd = self.folder("cwd")
        self.home = self.folder("home")
        self.system = self.folder("etc") / NAME
        self.environ = {"HOME": str(self.home)}
        self.uid = USER

    def folder(self, name: str) -> Path:
        path = self.root / name
        path.mkdir(parents=True, mode=0o755, exist_ok=True)
        path.chmod(0o755)
        self.give(path, USER)
        return path

    def become_root(self) -> None:
        """With a folder for state that is empty, whatever this machine's own has."""
        self.uid = 0
        self.environ["XDG_STATE_HOME"] = str(self.folder("state"))

    def file(self, path: Path, *, mode: int = 0o644, owner: int = USER) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        path.chmod(mode)
        self.give(path, owner)
        return path

    def give(self, path: Path, owner: int) -> None:
        if os.getuid() == 0:
            os.chown(path, owner, owner)

    def find(self, explicit: Path | None = None) -> Path:
        return find_config(explicit, self.environ, cwd=self.cwd, uid=self.uid, system=self.system)

    def refused(self) -> ConfigError:
        with pytest.raises(ConfigError) as caught:
            self.find()
        return caught.value


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_the_named_file_wins_over_everything_and_need_not_be_there(home: Home) -> None:
    home.file(home.cwd / NAME)
    home.environ[VARIABLE] = "/from/variable.toml"
    assert home.find(Path("named.toml")) == home.cwd / "named.toml"


def test_the_variable_wins_over_the_current_folder(home: Home) -> None:
    home.file(home.cwd / NAME)
    home.environ[VARIABLE] = "/from/variable.toml"
    assert home.find() == Path("/from/variable.toml")


def test_an_empty_variable_counts_as_none(home: Home) -> None:
    home.environ[VARIABLE] = ""
    home.file(home.cwd / NAME)
    assert home.find() == home.cwd / NAME


def test_the_current_folder_comes_before_the_home(home: Home) -> None:
    home.file(home.home / ".config/cedarchest" / NAME)
    home.file(home.cwd / NAME)
    assert home.find() == home.cwd / NAME


def test_the_home_comes_before_the_system(home: Home) -> None:
    home.file(home.system)
    path = home.file(home.home / ".config/cedarchest" / NAME)
    assert home.find() == path


def test_xdg_config_home_replaces_the_folder_in_the_home(home: Home) -> None:
    home.file(home.home / ".config/cedarchest" / NAME)
    home.environ["XDG_CONFIG_HOME"] = str(home.root / "xdg")
    path = home.file(home.root / "xdg/cedarchest" / NAME)
    assert home.find() == path


def test_a_relative_xdg_config_home_is_ignored(home: Home) -> None:
    home.environ["XDG_CONFIG_HOME"] = "xdg"
    home.file(home.cwd / "xdg/cedarchest" / NAME)
    path = home.file(home.home / ".config/cedarchest" / NAME)
    assert home.find() == path


def test_the_system_file_is_the_last(home: Home) -> None:
    home.file(home.system)
    assert home.find() == home.system


def test_what_a_backup_left_comes_after_the_system(home: Home) -> None:
    left = home.file(home.home / ".local/state/cedarchest" / NAME)
    assert home.find() == left
    home.environ["XDG_STATE_HOME"] = str(home.root / "states")
    with pytest.raises(ConfigError):
        home.find()
    left = home.file(home.root / "states/cedarchest" / NAME)
    assert home.find() == left
    left.chmod(0o666)
    assert "others may write the file" in home.refused().problems[-1]
    home.file(home.system)
    assert home.find() == home.system


def test_the_state_of_root_is_that_of_the_system_unless_it_says_otherwise() -> None:
    assert state_folder({"HOME": "/root"}, 0) == SYSTEM_STATE
    assert state_folder({"HOME": "/root", "XDG_STATE_HOME": "/x"}, 0) == Path("/x/cedarchest")
    assert state_folder({"HOME": "/home/ann", "XDG_STATE_HOME": "x"}, 1000) == Path(
        "/home/ann/.local/state/cedarchest"
    )


def test_nothing_found_lists_where_was_looked_and_advises_init(home: Home) -> None:
    error = home.refused()
    assert error.problems == (
        f"{home.cwd / NAME}: not there",
        f"{home.home}/.config/cedarchest/{NAME}: not there",
        f"{home.system}: not there",
        f"{home.home}/.local/state/cedarchest/{NAME}: not there",
    )
    assert all(problem in error.message for problem in error.problems)
    assert "cedarchest init" in error.advice
    assert error.exit_code == 4


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_may_write_is_passed_over(home: Home, mode: int) -> None:
    home.file(home.cwd / NAME, mode=mode)
    assert "others may write the file" in home.refused().problems[0]


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777])
def test_a_file_in_a_folder_that_others_may_write_is_passed_over(home: Home, mode: int) -> None:
    home.file(home.cwd / NAME)
    home.cwd.chmod(mode)
    assert "others may write the folder" in home.refused().problems[0]


def test_the_search_goes_on_after_a_file_that_was_passed_over(home: Home) -> None:
    home.file(home.cwd / NAME, mode=0o666)
    home.file(home.system)
    assert home.find() == home.system


@needs_root
def test_a_file_of_another_user_is_passed_over(home: Home) -> None:
    home.file(home.cwd / NAME, owner=OTHER)
    assert "belongs to another user" in home.refused().problems[0]


@needs_root
def test_a_folder_of_another_user_is_passed_over(home: Home) -> None:
    home.file(home.cwd / NAME)
    os.chown(home.cwd, OTHER, OTHER)
    assert "belongs to another user" in home.refused().problems[0]


@needs_root
def test_a_file_of_root_is_as_good_as_our_own(home: Home) -> None:
    home.file(home.cwd / NAME, owner=0)
    assert home.find() == home.cwd / NAME


@needs_root
def test_a_link_to_a_file_of_another_user_is_passed_over(home: Home) -> None:
    target = home.file(home.folder("elsewhere") / "file", owner=OTHER)
    (home.cwd / NAME).symlink_to(target)
    os.chown(home.cwd / NAME, USER, USER, follow_symlinks=False)
    assert "belongs to another user" in home.refused().problems[0]


def test_a_link_to_a_folder_that_others_may_write_is_passed_over(home: Home) -> None:
    folder = home.folder("elsewhere")
    (home.cwd / NAME).symlink_to(home.file(folder / "file"))
    folder.chmod(0o777)
    assert "others may write the folder" in home.refused().problems[0]


def test_a_link_to_a_file_of_our_own_is_taken(home: Home) -> None:
    (home.cwd / NAME).symlink_to(home.file(home.folder("elsewhere") / "file"))
    if os.getuid() == 0:
        os.chown(home.cwd / NAME, USER, USER, follow_symlinks=False)
    assert home.find() == home.cwd / NAME


def test_root_takes_no_file_from_the_current_folder(home: Home) -> None:
    home.become_root()
    home.file(home.cwd / NAME, owner=0)
    home.give(home.cwd, 0)
    reason = home.refused().problems[0]
    assert "root takes no file" in reason or os.getuid() != 0


def test_root_takes_the_system_file_even_from_its_own_folder(home: Home) -> None:
    home.become_root()
    home.cwd = home.system.parent
    home.file(home.system, owner=0)
    assert home.find() == home.system


@needs_root
def test_root_takes_no_file_from_the_home_of_a_user(home: Home) -> None:
    home.become_root()
    home.file(home.home / ".config/cedarchest" / NAME)
    assert "belongs to another user" in home.refused().problems[1]


@needs_root
def test_root_takes_the_file_in_its_own_home(home: Home) -> None:
    home.become_root()
    path = home.file(home.home / ".config/cedarchest" / NAME, owner=0)
    os.chown(path.parent, 0, 0)
    path.parent.chmod(0o755)
    assert home.find() == path


def test_a_user_is_free_in_the_own_config_folder(home: Home) -> None:
    home.cwd = home.folder("home/.config/cedarchest")
    home.file(home.cwd / NAME, mode=0o664)
    assert home.find() == home.cwd / NAME


def test_a_user_without_home_gets_the_system_file(home: Home) -> None:
    home.environ.clear()
    home.uid = 987_654
    home.file(home.system)
    assert home.find() == home.system
