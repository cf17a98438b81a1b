"""Extensions by the entry points of installed packages.

Which there are is read from the packages' metadata, once and only when somebody asks. Code of an extension
is imported when it is to be run or checked. Whatever it raises, or an attempt to end the whole program,
becomes one error that names extension and package.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points

from cedarchest.config.choices import OWN_ACTIONS
from cedarchest.errors import ConfigError, ExtensionFailed, Interrupted
from cedarchest.extension import GROUP, Call, Done, Extension
from cedarchest.model.names import ACTION, first_few, readable

log = logging.getLogger(__name__)


class InstalledExtensions:
    """What is installed beside this program, in the same environment."""

    def __init__(self) -> None:
        self._loaded: dict[str, Extension] = {}

    @cached_property
    def _points(self) -> Mapping[str, list[EntryPoint]]:
        found: dict[str, list[EntryPoint]] = {}
        for point in entry_points(group=GROUP):
            if ACTION.fullmatch(point.name) and point.name not in OWN_ACTIONS:
                found.setdefault(point.name, []).append(point)
        return found

    def installed(self) -> frozenset[str]:
        """The names of all of them."""
        return frozenset(self._points)

    def package(self, name: str) -> str:
        """The package and its version."""
        return _package(self._point(name))

    def load(self, name: str) -> Extension:
        """One of them, imported at most once."""
        if name not in self._loaded:
            point = self._point(name)
            with self._guarded(name, "cannot be loaded"):
                found = point.load()
                if not isinstance(found, Extension):
                    raise ExtensionFailed(f"{point.value} is no cedarchest.extension.Extension")
            self._loaded[name] = found
        return self._loaded[name]

    def check(self, name: str, settings: Mapping[str, object]) -> tuple[str, ...]:
        """What its own check says; one without a check takes no settings."""
        check = self.load(name).check
        if check is None:
            return tuple(f"{key}: there is no such key; {name} has none" for key in settings)
        with self._guarded(name, "cannot check its settings"):
            return tuple(map(_line, check(settings)))

    def run(self, name: str, call: Call) -> Done:
        """Run it to its end."""
        run = self.load(name).run
        with self._guarded(name, "failed"):
            done = run(call)
            if not isinstance(done, Done):
                raise ExtensionFailed(f"it gave {type(done).__name__} instead of Done")
            return Done(tuple(map(_line, done.lines)), tuple(map(_line, done.left_out)), done.nothing_to_do)

    def _point(self, name: str) -> EntryPoint:
        match self._points.get(name, []):
            case [point]:
                return point
            case []:
                wrong, advice = "no installed package brings this extension", "Install its package beside it"
            case points:
                wrong = f"several packages bring it: {first_few([_package(each) for each in points])}"
                advice = "Uninstall all but one"
        problem = f"extension.{name}: {wrong}"
        raise ConfigError(
            problem,
            problems=[problem],
            advice=f"{advice}, or take [extension.{name}] out of the configuration.",
        )

    @contextlib.contextmanager
    def _guarded(self, name: str, what: str) -> Iterator[None]:
        """Code of an extension: its output goes to standard error, its failures have one form."""
        package = self.package(name)
        beginning = f"the extension {name} of {package} {what}"
        try:
            with _output_on_stderr():
                yield
        except Interrupted:
            raise
        except ExtensionFailed as error:
            raise ExtensionFailed(
                f"{beginning}: {_line(error.message)}", advice=_line(error.advice), **error.fields
            ) from error
        except BaseException as error:
            log.debug("in an extension", exc_info=True)
            said = _line(f"{type(error).__name__}: {error}")
            raise ExtensionFailed(
                f"{beginning}: {said}",
                advice=f"Correct what it says, or report it to the authors of {package}, or take"
                f" [extension.{name}] out of the configuration; -vv shows where it happened.",
            ) from error


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _line(said: object) -> str:
    """What an extension says, on one line, without anything that a terminal would obey."""
    return readable(" ".join(str(said).split()))


@contextlib.contextmanager
def _output_on_stderr() -> Iterator[None]:
    """What is written on standard output within, by programs too, goes to standard error.

    It is there again afterwards, whatever was done to it.
    """
    kept_stream, kept = sys.stdout, os.dup(1)
    kept_stream.flush()
    os.dup2(2, 1)
    lent = os.fdopen(1, "w", 1, encoding=kept_stream.encoding, errors="backslashreplace", closefd=False)
    sys.stdout = lent
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):  # it may have been closed
            lent.flush()
        sys.stdout = kept_stream
        try:
            kept_stream.flush()  # some got hold of it before
        finally:
            os.dup2(kept, 1)
            os.close(kept)
