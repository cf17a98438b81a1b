"""Peers under the names of Cedar Backup's `peer`: rsync brings what they have, over ssh from afar."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cedarchest.adapters.rsync import Address, RsyncFolder, RsyncPeers
from cedarchest.adapters.ssh import Login
from cedarchest.config.cedar.commands import log_in, words_of
from cedarchest.config.wording import shown
from cedarchest.errors import PeerError
from cedarchest.model.index import Kind
from cedarchest_cedar.indicators import COLLECT_INDICATOR, STAGE_INDICATOR
from cedarchest_cedar.sections import VALID_FAILURE_MODES
from cedarchest_cedar.util import getUidGid

__all__ = ["DEF_COLLECT_INDICATOR", "DEF_STAGE_INDICATOR", "LocalPeer", "RemotePeer"]

DEF_COLLECT_INDICATOR, DEF_STAGE_INDICATOR = COLLECT_INDICATOR, STAGE_INDICATOR
TIMEOUT_S = 60.0

Ownership = tuple[str, str] | None


class LocalPeer:
    """A peer whose collect dir is on this machine."""

    _needs_collect_dir = True

    def __init__(self, name: str, collectDir: str | None, ignoreFailureMode: str | None = None) -> None:
        if not name:
            raise ValueError("a peer needs a name")
        if collectDir is None and self._needs_collect_dir:
            raise ValueError("a peer needs a collect dir")
        if collectDir is not None and not collectDir.startswith("/"):
            raise ValueError(f"the collect dir {shown(collectDir)} is no absolute path")
        self.name, self.collectDir, self.ignoreFailureMode = name, collectDir, ignoreFailureMode

    @property
    def ignoreFailureMode(self) -> str | None:
        """Of which failures nothing is told."""
        return self._ignored

    @ignoreFailureMode.setter
    def ignoreFailureMode(self, mode: str | None) -> None:
        if mode not in {None, *VALID_FAILURE_MODES}:
            raise ValueError(f"{shown(mode)} is none of {', '.join(VALID_FAILURE_MODES)}")
        self._ignored = mode

    def stagePeer(self, targetDir: str, ownership: Ownership = None, permissions: int | None = None) -> int:
        """Copy the files of the collect dir, but for marks, into a directory; how many were copied.

        Raises:
            ValueError: a directory is not there, or the peer has something else than files.
            OSError: nothing came, or not all of it.
        """
        target = Path(targetDir)
        if not target.is_dir():
            raise ValueError(f"{shown(targetDir)} is no directory, or is not there")
        self._check_collect_dir()
        folder = self._folder()
        items = [item for item in folder.look().items if not item.path.startswith(b"cback.")]
        if odd := [item for item in items if item.kind is not Kind.FILE]:
            raise ValueError(f"{shown(os.fsdecode(odd[0].path))} of {self.name} is no file")
        problems = folder.fetch([item.path for item in items], target, lambda _path, _size: None)
        if problems or not items:
            raise OSError(f"{self.name}: {problems[0] if problems else 'there was nothing to copy'}")
        for item in items:
            _adjust(target / os.fsdecode(item.path), ownership, permissions)
        return len(items)

    def checkCollectIndicator(self, collectIndicator: str | None = None) -> bool:
        """Whether the peer says that its collect has ended; one that cannot be reached does not."""
        wanted = os.fsencode(collectIndicator or COLLECT_INDICATOR)
        try:
            items = self._folder().look().items
        except PeerError:
            return False
        return any((item.path, item.kind) == (wanted, Kind.FILE) for item in items)

    def writeStageIndicator(
        self,
        stageIndicator: str | None = None,
        ownership: Ownership = None,
        permissions: int | None = None,
    ) -> None:
        """Leave a mark in the collect dir that it was staged.

        Raises:
            ValueError: the collect dir is not there.
            OSError: it cannot be left there.
        """
        self._check_collect_dir()
        with tempfile.TemporaryDirectory(prefix="cedarchest-") as made:
            mark = Path(made, stageIndicator or STAGE_INDICATOR)
            mark.touch()
            _adjust(mark, ownership, permissions)
            self._folder().put(Path(made))

    def _check_collect_dir(self) -> None:
        if not Path(self.collectDir or "").is_dir():
            raise ValueError(f"{self.name} has no collect dir: {self.collectDir} is no directory")

    def _folder(self) -> RsyncFolder:
        if self.collectDir is None:
            raise ValueError(
                f"{self.name} was made without a collect dir; nothing can be fetched from it or left there"
            )
        return self._peers().named(self.name)

    def _peers(self) -> RsyncPeers:
        return RsyncPeers({self.name: Address(Path(self.collectDir or "/"), self._login())}, self._scratch())

    def _login(self) -> Login | None:
        return None

    def _scratch(self) -> Path:
        return Path(tempfile.gettempdir())


class RemotePeer(LocalPeer):
    """A peer that is another machine; to run commands there, name and user are enough."""

    _needs_collect_dir = False

    def __init__(
        self,
        name: str,
        collectDir: str | None = None,
        workingDir: str | None = None,
        remoteUser: str | None = None,
        rcpCommand: str | None = None,
        localUser: str | None = None,
        rshCommand: str | None = None,
        cbackCommand: str | None = None,
        ignoreFailureMode: str | None = None,
    ) -> None:
        super().__init__(name, collectDir, ignoreFailureMode)
        if workingDir is not None and not workingDir.startswith("/"):
            raise ValueError(f"the working dir {shown(workingDir)} is no absolute path")
        if not remoteUser:
            raise ValueError("a remote peer needs a user")
        self.workingDir, self.remoteUser, self.localUser = workingDir, remoteUser, localUser
        self.rcpCommand, self.rshCommand, self.cbackCommand = rcpCommand, rshCommand, cbackCommand

    def _check_collect_dir(self) -> None:
        """Nothing: whether it is there is known to the other machine."""

    def executeRemoteCommand(self, command: str) -> None:
        """Run a command on the peer; blanks part its words, and double quotes keep them.

        Raises:
            OSError: nobody can log in there, or it failed.
        """
        self._run(words_of(command))

    def executeManagedAction(self, action: str, fullBackup: bool) -> None:
        """Run an action on the peer.

        Raises:
            OSError: nobody can log in there, or it failed.
        """
        command = words_of(self.cbackCommand or "/usr/bin/cback3")
        self._run([*command, *(["--full"] if fullBackup else []), action])

    def _run(self, argv: Sequence[str]) -> None:
        came = self._peers().act(self.name, argv)
        if came.status:
            said = came.said[-1].strip() if came.said else "it said nothing"
            raise OSError(f"{shown(' '.join(argv))} on {self.name} ended with {came.status}: {said}")

    def _login(self) -> Login:
        found = log_in(self.rcpCommand or self.rshCommand or "ssh")
        return Login(
            host=self.name,
            user=self.remoteUser,
            port=found.port,
            identity=Path(found.identity).expanduser() if found.identity else None,
            options=tuple(found.options),
            bytes_a_second=None,
            timeout_s=TIMEOUT_S,
        )

    def _scratch(self) -> Path:
        return Path(self.workingDir or tempfile.gettempdir())


def _adjust(path: Path, ownership: Ownership, permissions: int | None) -> None:
    if permissions is not None:
        path.chmod(permissions)
    if ownership is not None and os.geteuid() == 0:
        os.chown(path, *getUidGid(*ownership), follow_symlinks=False)
