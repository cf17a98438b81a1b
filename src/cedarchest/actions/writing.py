"""Volumes written on all drives at once, each read back in the drive that wrote it.

Discs are loaded, erased, asked for and labelled one after the other, and days are marked, in the thread that
runs the action; beside it each drive writes and checks in a thread of its own. With one drive there is none.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from cedarchest.actions.burn import burn_session
from cedarchest.actions.loading import CurrentDisc, find_current, with_right_disc
from cedarchest.actions.prove import prove_session
from cedarchest.actions.reuse import begin_disc
from cedarchest.actions.volumes import VolumeSet
from cedarchest.actions.writers import create_writer
from cedarchest.config.model import Config
from cedarchest.errors import (
    CedarchestError,
    ForeignDisc,
    Interrupted,
    MediumFull,
    NoMedium,
    NotAppendable,
    WrongDisc,
)
from cedarchest.model.disc import CheckKind, DiscRecord, SessionRecord
from cedarchest.model.plan import Volume
from cedarchest.ports import Ports, Writer

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

REFUSED = (NoMedium, WrongDisc, ForeignDisc, NotAppendable, MediumFull)
"""What says of a disc that it will not do, before anything is written on it; another drive may have one."""


@dataclass(eq=False, slots=True)
class Series:
    """The volumes of a copy, and which nobody has taken yet; `home` is the drive they were planned for."""

    home: str
    volumes: VolumeSet
    left: list[int]

    @property
    def planned(self) -> Sequence[Volume]:
        """All its volumes."""
        return self.volumes.planned.plan.volumes

    def take(self, device: str) -> int | None:
        """The next volume for a drive; one for a disc in use only the drive that holds this can take."""
        for position in self.left:
            if self.planned[position].new_disc or device == self.home:
                self.left.remove(position)
                return position
        return None


@dataclass(eq=False, slots=True)
class Task:
    """A volume on its way to the disc that is in a drive; `session` once it is burnt."""

    device: str
    series: Series
    position: int
    writer: Writer
    disc: DiscRecord
    current: CurrentDisc | None
    session: SessionRecord | None = None


@dataclass(eq=False)
class Writing:
    """What the drives do; `proven` is called for each volume that is written and, unless deferred, proven.

    What goes wrong on a drive is kept in `problems` and ends its part; the others go on with what is left.
    """

    config: Config
    ports: Ports
    devices: Sequence[str]
    series: Sequence[Series]
    deferred: bool
    proven: Callable[[Task], None]
    problems: list[CedarchestError] = field(default_factory=list)
    _refusals: dict[str, CedarchestError] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    _at_work: dict[Future[None], Task] = field(default_factory=dict)

    def run(self) -> None:
        """Have all volumes written, as far as the drives take them.

        Raises:
            Interrupted: the run was asked to end; nothing is at work any more.
        """
        homes = {each.home for each in self.series}
        in_order = sorted(self.devices, key=lambda device: device not in homes)
        with ThreadPoolExecutor(len(in_order)) if len(in_order) > 1 else _Here() as beside:
            try:
                while self._hand_out(in_order, beside):
                    self._take_in(self._done())
            except Interrupted:
                self._see_to_the_end()
                raise
            finally:
                _wait_for_all(self._at_work)
        self._tell_refusals()

    def _hand_out(self, devices: Sequence[str], beside: Executor) -> bool:
        """Give each drive that has nothing to do its next volume; False when none is at work then."""
        for device in devices:
            while device not in self._ended and device not in self._busy():
                if (task := self._next_task(device)) is None:
                    break
                self._at_work[beside.submit(self._write, task)] = task
        return bool(self._at_work)

    def _busy(self) -> set[str]:
        return {task.device for task in self._at_work.values()}

    def _next_task(self, device: str) -> Task | None:
        """A volume for a drive, with a disc for it in the drive; None where there is none of either."""
        for series in sorted(self.series, key=lambda each: each.home != device):
            if (position := series.take(device)) is not None:
                try:
                    return self._loaded(device, series, position)
                except Interrupted:
                    raise
                except CedarchestError as error:
                    self._give_back(device, series, position, error)
                    return None
        return None

    def _loaded(self, device: str, series: Series, position: int) -> Task:
        """A volume with the disc it goes on, which is in the drive now."""
        self.ports.interrupts.check()
        volume = series.planned[position]
        log.info("%s in %s: %s", ", ".join(volume.days), device, volume.why)
        writer = create_writer(self.config, ports=self.ports, device=device)
        try:
            disc, current = with_right_disc(writer, self.ports, lambda: self._disc_for(volume, writer))
        except BaseException:
            writer.close()
            raise
        return Task(device, series, position, writer, disc, current)

    def _disc_for(self, volume: Volume, writer: Writer) -> tuple[DiscRecord, CurrentDisc | None]:
        current = None
        if not volume.new_disc:
            current = find_current(self.config, writer, self.ports, copy=volume.copy)
        if current:
            return current.disc, current
        at_work = {task.disc.label for task in self._at_work.values()}
        return begin_disc(self.config, writer, self.ports, copy=volume.copy, at_work=at_work), None

    def _write(self, task: Task) -> None:
        """Write a volume on its disc and read it back; may be done beside the thread of the action."""
        volumes, position = task.series.volumes, task.position
        try:
            task.session = burn_session(
                self.config,
                task.writer,
                task.disc,
                task.current,
                volumes.shares(position),
                self.ports,
                place=volumes.place(position),
                close=self.config.require_store().close,
            )
        finally:
            task.writer.close()
        if not self.deferred:
            self._check(task, task.session)

    def _check(self, task: Task, session: SessionRecord) -> None:
        disc = next(each for each in self.ports.catalog.discs() if each.disc_id == session.disc_id)
        writer = create_writer(self.config, ports=self.ports, device=task.device)
        try:
            prove_session(self.config, writer, disc, session, self.ports, kind=CheckKind.STORE)
        finally:
            writer.close()

    def _done(self) -> Mapping[Future[None], Task]:
        """What has ended of what is at work, waited for."""
        ended, _ = wait(self._at_work, return_when=FIRST_COMPLETED)
        return {future: self._at_work.pop(future) for future in ended}

    def _take_in(self, done: Mapping[Future[None], Task]) -> None:
        """Go on with what came of volumes."""
        interrupted = None
        for future, task in done.items():
            try:
                future.result()
                self.proven(task)
            except Interrupted as error:
                interrupted = error
            except CedarchestError as error:
                if task.session is None and isinstance(error, REFUSED):
                    self._give_back(task.device, task.series, task.position, error)
                else:
                    self.problems.append(error)
                    self._ended.add(task.device)
        if interrupted:
            raise interrupted

    def _give_back(self, device: str, series: Series, position: int, error: CedarchestError) -> None:
        """A drive cannot take a volume, nor any other after it; nothing was written."""
        log.info("%s takes no part any more: %s", device, error.message)
        series.left.append(position)
        series.left.sort()
        self._refusals[device] = error
        self._ended.add(device)

    def _tell_refusals(self) -> None:
        """Why drives took no part: problems where volumes are left over, else only good to know.

        One that wrote all of its own wants no disc for what another has left, which says that itself.
        """
        waiting = {each.home for each in self.series if each.left}
        if waiting:
            wrote = {each.home for each in self.series} - waiting if waiting <= self._refusals.keys() else ()
            self.problems += [error for device, error in self._refusals.items() if device not in wrote]
            return
        for error in self._refusals.values():
            self.ports.reporter.warn(f"{error.message}; the other drives wrote all there was. {error.advice}")

    def _see_to_the_end(self) -> None:
        """What the drives still do after an interrupt ends by itself; what is proven by then counts."""
        _wait_for_all(self._at_work)
        with contextlib.suppress(Interrupted):
            if self._at_work:
                self._take_in({future: self._at_work.pop(future) for future in list(self._at_work)})
        for problem in self.problems:
            self.ports.reporter.warn(problem.message)


class _Here(Executor):
    """Does everything at once, in the thread that asks for it."""

    def submit(self, do: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """Do it; only a failure that has a name is kept for later."""
        future: Future[T] = Future()
        try:
            future.set_result(do(*arguments, **named))
        except CedarchestError as error:
            future.set_exception(error)
        return future


def _wait_for_all(at_work: Mapping[Future[None], Task]) -> None:
    """Wait until no drive is at work; whoever interrupts meanwhile is heard by the drives themselves."""
    while any(not future.done() for future in at_work):
        with contextlib.suppress(Interrupted):
            wait(at_work)
