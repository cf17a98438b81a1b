"""xorriso, called: one short process a step, and what came of it as errors with names.

A burn's script comes through a pipe that we hold: should we die before we said `-end`, the pipe ends,
`-rollback_end` is reached and nothing is written. Exit statuses are one input of several; the state of the
disc is asked for again after each write by the caller.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from cedarchest.adapters.process import Completed, Running, run, running, tail_of
from cedarchest.adapters.xorriso_words import (
    IMAGE_SIZE,
    TOOL,
    WRITTEN,
    Blanking,
    BurnOptions,
    Formats,
    Toc,
    blank_argv,
    burn_argv,
    burn_script,
    format_argv,
    is_harmless,
    new_tree,
    parse_formats,
    parse_problems,
    parse_progress,
    parse_toc,
    parse_version,
    toc_argv,
    version_argv,
)
from cedarchest.errors import (
    DamagedDisc,
    DiskFull,
    MediaError,
    MediumFull,
    NotAppendable,
    ToolFailed,
    ToolMissing,
    ToolTimeout,
    ToolTooOld,
    UnexpectedOutput,
)
from cedarchest.model.pace import WritePace
from cedarchest.ports import Burnt, Graft, SessionSource

log = logging.getLogger(__name__)

MINIMUM = (1, 5, 4)
SHOWN_PROBLEMS = 5

PROBLEMS_TOLERATED = 32
"""The status of a run that went on after a SORRY: its input changed, or the disc has a torn session."""


DRIVE_LOST = "libburn : FATAL : Lost connection to drive"
"""How a line of it ends then. It may not end itself: two of its threads wait for a third, one for ever."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long xorriso may be silent, in seconds."""

    question_s: float = 180.0
    burn_s: float = 1800.0
    lost_s: float = 30.0  # while it burned, once it has lost the drive


PIPE_TAKES = 1 << 15
"""Bytes of a script that are told ahead at most: what a pipe takes though nobody reads it yet."""

CLOCK_TICK_NS = 10**8
"""Change times come from a clock that may be behind by as much."""


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A burn that was told what goes on a disc before it is known on which."""

    child: Running
    script: list[bytes]
    began_ns: int
    inherited: Sequence[int]

    def holds(self, told: Sequence[bytes], changed_ns: int, inherited: Sequence[int]) -> bool:
        """Whether a burn goes on from here: it begins so, nothing changed since, and all locks came along."""
        is_older = changed_ns < self.began_ns - CLOCK_TICK_NS
        return is_older and told == self.script and inherited == self.inherited


@dataclass(frozen=True, slots=True)
class Xorriso:
    """Calls xorriso; `inherited` gives the descriptors (our locks) that a burn keeps open."""

    limits: Limits = Limits()
    inherited: Callable[[], Sequence[int]] = tuple
    _ahead: list[_Ahead] = field(default_factory=list)

    def version(self) -> str:
        """Its version, found to be new enough.

        Raises:
            ToolMissing, ToolTooOld, UnexpectedOutput: each what it says.
        """
        found = parse_version(run(version_argv(), timeout_s=self.limits.question_s).lines)
        text, needed = (".".join(map(str, version)) for version in (found, MINIMUM))
        if found < MINIMUM:
            raise ToolTooOld(
                f"xorriso is {text}; {needed} or later is needed",
                advice="Install a newer xorriso.",
                found=text,
                needed=needed,
            )
        return f"xorriso {text}"

    def toc(self, address: str) -> Toc:
        """What is loaded at an address.

        Raises:
            ToolFailed: the drive could not be opened.
            UnexpectedOutput: what it said is not understood.
        """
        answer = run(toc_argv(address), timeout_s=self.limits.question_s)
        if answer.returncode not in (0, PROBLEMS_TOLERATED):  # the latter where no session was ever finished
            raise ToolFailed(
                f"xorriso could not look at {address}: {_reason(answer.lines, answer.returncode)}",
                advice=_drive_advice(answer.lines),
                transcript=answer.tail,
            )
        return parse_toc(answer.lines)

    def formats(self, address: str) -> Formats:
        """How a BD is formatted, and could be.

        Raises:
            ToolFailed: the drive could not be opened.
            UnexpectedOutput: what it said is not understood.
        """
        argv = (TOOL, "-no_rc", "-pkt_output", "on", "-outdev", address, "-list_formats", "-rollback_end")
        answer = run(argv, timeout_s=self.limits.question_s)
        if answer.returncode != 0:
            raise ToolFailed(
                f"xorriso could not look at {address}: {_reason(answer.lines, answer.returncode)}",
                advice=_drive_advice(answer.lines),
                transcript=answer.tail,
            )
        return parse_formats(answer.lines)

    def format(self, address: str) -> None:
        """Give an empty BD spare blocks, by which the drive replaces bad ones."""
        answer = run(format_argv(address), timeout_s=self.limits.burn_s, pass_fds=self.inherited())
        if answer.returncode != 0 or parse_problems(answer.lines):
            raise MediaError(
                f"the disc in {address} could not be formatted: {_reason(answer.lines, answer.returncode)}",
                advice="Try another disc, or set [store] defect_management to false.",
                transcript=answer.tail,
            )

    def blank(self, address: str, blanking: Blanking) -> None:
        """Erase a rewritable disc."""
        answer = run(blank_argv(address, blanking), timeout_s=self.limits.burn_s, pass_fds=self.inherited())
        if answer.returncode != 0 or parse_problems(answer.lines):
            raise MediaError(
                f"the disc in {address} could not be erased: {_reason(answer.lines, answer.returncode)}",
                advice="Try another disc; this one may be worn.",
                transcript=answer.tail,
            )

    def close_damaged(self, address: str) -> None:
        """Close the track that a torn write left open. What came of it shows in the next `toc`."""
        argv = (TOOL, "-no_rc", "-signal_handling", "sig_ign", "-pkt_output", "on", "-outdev", address)
        answer = run(
            (*argv, "-close_damaged", "force", "-rollback_end"),
            timeout_s=self.limits.burn_s,
            pass_fds=self.inherited(),
        )
        if answer.returncode != 0:
            raise MediaError(
                f"the torn session on the disc in {address} could not be closed:"
                f" {_reason(answer.lines, answer.returncode)}",
                advice="Insert a blank disc and run the command again.",
                transcript=answer.tail,
            )

    def eject(self, address: str) -> None:
        """Open the tray."""
        argv = (TOOL, "-no_rc", "-pkt_output", "on", "-outdev", address, "-rollback", "-eject", "all")
        answer = run((*argv, "-rollback_end"), timeout_s=self.limits.question_s)
        if answer.returncode != 0:
            raise ToolFailed(f"{address} did not eject: {_reason(answer.lines, answer.returncode)}")

    def burn(
        self,
        source: SessionSource,
        options: BurnOptions,
        confirm: Callable[[int], None],
        progress: Callable[[int], None],
    ) -> Burnt:
        """Write a session; `confirm` gets its size in blocks and may refuse by raising."""
        with self._at_work(burn_script(source, options), source.changed_ns) as (child, script):
            try:
                for command in script:
                    child.send(command)
            except ToolFailed:  # it gave up; its own words say why
                answer = child.finish()
                raise _burn_error(answer.lines, answer.returncode, options, "Nothing was written.") from None
            size = _wait_for_size(child, options)
            confirm(size)
            child.send(b"-close on\n-end\n" if source.closes(size) else b"-end\n")
            child.end_of_commands()  # it reads to the end of the pipe before it acts on `-end`
            pace = WritePace(time.monotonic)

            def reached(block: int) -> None:
                pace.reached(block)
                progress(min(block, size))

            answer = self._watched(child, reached)
        return replace(_judge(answer, options), speed_kb_s=pace.kb_s)

    def _watched(self, child: Running, reached: Callable[[int], None]) -> Completed:
        """Wait for the end of a burn; once its drive is lost, it has little time for that."""
        try:
            for line in child.lines():
                if (block := parse_progress(line)) is not None:
                    reached(block)
                elif _has_lost_drive([line]):
                    child.stall_s = min(child.stall_s, self.limits.lost_s)
            return child.finish()
        except ToolTimeout:
            if not _has_lost_drive(child.transcript):
                raise
            return Completed(child.argv, child.process.returncode, tuple(child.transcript))

    @contextlib.contextmanager
    def reading_ahead(self, made_dirs: Sequence[bytes], grafts: Sequence[Graft]) -> Iterator[None]:
        """Begin to look at what a new disc is to get; the first burn that begins so goes on from there.

        It has no drive until then: where no burn begins so, it is killed.
        """
        script = list(new_tree(made_dirs, grafts))
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(ToolMissing, ToolFailed, ToolTimeout):  # whoever burns will say it
                if sum(map(len, script)) <= PIPE_TAKES:
                    began_ns, inherited = time.time_ns(), self.inherited()
                    child = stack.enter_context(self._burning(inherited))
                    stack.callback(self._drop)
                    child.send(b"".join(script))
                    self._ahead.append(_Ahead(child, script, began_ns, inherited))
            yield

    def _burning(self, inherited: Sequence[int]) -> contextlib.AbstractContextManager[Running]:
        return running(burn_argv(), stall_s=self.limits.burn_s, pass_fds=inherited)

    def _drop(self) -> None:
        while self._ahead:
            self._ahead.pop().child.drop()

    @contextlib.contextmanager
    def _at_work(self, script: Iterator[bytes], changed_ns: int) -> Iterator[tuple[Running, Iterator[bytes]]]:
        """xorriso, and what of a script it is still to be told: it may know the beginning."""
        inherited = self.inherited()
        ahead = self._taken()
        told = list(itertools.islice(script, len(ahead.script))) if ahead else []
        if ahead and ahead.holds(told, changed_ns, inherited):
            try:
                yield ahead.child, script
            finally:
                ahead.child.end()
            return
        if ahead:
            log.info("what was looked at ahead is not what is written, or has changed: it is looked at anew")
            ahead.child.drop()
        with self._burning(inherited) as child:
            yield child, itertools.chain(told, script)

    def _taken(self) -> _Ahead | None:
        with contextlib.suppress(IndexError):
            return self._ahead.pop()
        return None


def _wait_for_size(child: Running, options: BurnOptions) -> int:
    """The size it computed; any severe message before it means that nothing may be written."""
    match = None
    for line in child.lines():
        match = IMAGE_SIZE.match(line)
        if match or not all(is_harmless(problem, options) for problem in parse_problems([line])):
            break
    problems = parse_problems(child.transcript)
    if match is None or not all(is_harmless(problem, options) for problem in problems):
        child.finish()  # nothing more comes: it rolls back, and says the rest
        raise _burn_error(child.transcript, child.process.returncode, options, "Nothing was written.")
    return int(match[1])


def _judge(answer: Completed, options: BurnOptions) -> Burnt:
    """What a finished burn amounts to: the status, and that it says it wrote."""
    done = any(WRITTEN.match(line) for line in answer.lines)
    if done and answer.returncode == 0:
        return Burnt(input_changed=False)
    if done and answer.returncode == PROBLEMS_TOLERATED:
        problems = parse_problems(answer.lines)
        is_whole = bool(problems) and all(is_harmless(problem, options) for problem in problems)
        return Burnt(input_changed=not is_whole)
    if (failure := _close_failure(answer.lines)) is not None:
        return failure
    if answer.returncode == 0:
        raise UnexpectedOutput(
            f"xorriso ended without a complaint, but does not say that it wrote to {options.address}",
            advice="Run the command again: it looks at the disc itself before it writes.",
            transcript=answer.tail,
        )
    raise _burn_error(answer.lines, answer.returncode, options, "")


_WRITE_FAILED = "libburn indicates failure with writing."


def _close_failure(lines: Sequence[str]) -> Burnt | None:
    """A burn whose data the drive took, and whose track or session it did not close; None for any other."""
    problems = [problem for problem in parse_problems(lines) if problem != _WRITE_FAILED]
    refused = [problem for problem in problems if problem.startswith("Failed to close ")]
    others = [problem for problem in problems if problem not in refused]
    if not refused or any("SCSI error" in problem for problem in others):
        return None
    return Burnt(input_changed=bool(others), close_failed=refused[-1])


_REFUSAL = re.compile(r"SCSI error on write\((\d+),\d+\): (.*)")


def _burn_error(
    lines: Sequence[str], status: int | None, options: BurnOptions, addition: str
) -> MediaError | ToolFailed | DiskFull:
    reason = _reason(lines, status)
    text = "\n".join(lines)
    message = f"xorriso could not write the session: {reason} {addition}".strip()
    transcript = tail_of(lines)
    if "exceeds free space" in text and not options.optical:  # a file's room is that of its file system
        return DiskFull(message, transcript=transcript)
    if "exceeds free space" in text:
        return MediumFull(message, advice="Insert an empty disc.", transcript=transcript)
    if "No space left on device" in text or "File too large" in text or "Disk quota exceeded" in text:
        return DiskFull(message, transcript=transcript)
    if "Unsuitable target media state" in text or "can only be written with -close" in text:
        return NotAppendable(message, advice="Insert another disc.", transcript=transcript)
    refusals = (_REFUSAL.match(problem) for problem in parse_problems(lines))
    refusal = next(filter(None, refusals), None)
    if refusal and not options.newest and int(refusal[1]) == options.start:
        return NotAppendable(
            f"{options.address} takes the disc in it for blank, and refuses to write its first block:"
            f" {refusal[2]}",
            advice="Insert another disc: of a kind that this drive writes, and of another make.",
            transcript=transcript,
        )
    if re.search(r"SCSI error on write.*\[(3|4) ", text):
        return DamagedDisc(
            message, advice="Run the command again with another disc of another make.", transcript=transcript
        )
    return ToolFailed(message, advice=_drive_advice(lines), transcript=transcript)


def _reason(lines: Sequence[str], status: int | None) -> str:
    problems = parse_problems(lines)
    shown = "; ".join(dict.fromkeys(problems[:SHOWN_PROBLEMS]))
    return shown or f"it ended with status {status}"


def _has_lost_drive(lines: Sequence[str]) -> bool:
    return any(line.endswith(DRIVE_LOST) for line in lines)


def _drive_advice(lines: Sequence[str]) -> str:
    text = "\n".join(lines)
    if "busy" in text.lower():
        return "Another program uses the drive; end it and run the command again."
    if _has_lost_drive(lines):
        return "Check the drive's cable and power, then run the command again."
    return "Run the command again with -v for the whole transcript."
