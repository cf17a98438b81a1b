"""Extensions of installed packages: what is loaded and when, what goes wrong with them, a whole night."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.ports import RecordingReporter, memory_ports
from tests.packages import install

from cedarchest import night, runs
from cedarchest.actions.extensions import NIGHT, NightPlan, check_extension, plan_night
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError, ConfigError, ExtensionFailed, Interrupted
from cedarchest.ports import Ports
from cedarchest.report.outcome import Result

Install = Callable[..., None]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs packages where this interpreter finds them."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path / "site")

    def into_site(package: str, code: str, **points: str) -> None:
        install(tmp_path / "site", package, code, points)

    yield into_site
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    return memory_ports(tmp_path)


def config(root: Path, *names: str, **settings: object) -> Config:
    """A configuration with tables of these extensions, the first with settings; a collect, and no more."""
    tables: dict[str, dict[str, object]] = {name: {} for name in names}
    if names:
        tables[names[0]] = dict(settings)
    collect = {"dir": str(root / "collect"), "source": [{"path": str(root / "home")}], "archive": "tar"}
    return Config.from_mapping(
        {"options": {"state_dir": str(root / "state")}, "collect": collect, "extension": tables}, root
    )


def planned(root: Path, ports: Ports, *names: str) -> NightPlan:
    return plan_night(NIGHT, config(root, *names), ports=ports)


def run_alone(
    root: Path, ports: Ports, name: str, *, full: bool = False, dry_run: bool = False, **settings: object
) -> Result:
    run = night.extension(name, full=full, dry_run=dry_run)
    return run(root / "cedarchest.toml", config(root, name, **settings), ports)


def run_all(root: Path, ports: Ports, *names: str) -> tuple[dict[str, dict[str, Any]], Result]:
    """A night: what came of each action, in order, and the whole."""
    (root / "home").mkdir(exist_ok=True)
    (root / "home/letter").write_bytes(b"dear")
    run = night.everything(runs.Where.HERE, full=False, dry_run=False)
    whole = run(root / "cedarchest.toml", config(root, *names), ports)
    actions = whole.figures["actions"]
    assert isinstance(actions, list)
    return {each["action"]: each for each in actions}, whole


def problem(attempt: Callable[[], object], kind: type[CedarchestError]) -> str:
    with pytest.raises(kind) as caught:
        attempt()
    assert caught.value.advice
    return caught.value.message


def test_an_extension_is_told_all_about_its_run(tmp_path: Path, installed: Install, ports: Ports) -> None:
    installed("telling", """
def told(call):
    call.reporter.warn("beware")
    return Done([f"{call.config_path} {call.day} {call.now:%H:%M} {call.full} {call.dry_run}",
                 f"{call.settings['a']} {call.state_dir} {call.working_dir}",
                 f"{call.collect_dir} {call.staging_dir} {dict(call.earlier)}"])
it = Extension(run=told, check=lambda settings: ())
""", tell="it")  # fmt: skip
    result = run_alone(tmp_path, ports, "tell", full=True, a=[1, {"b": 2}])
    assert result.figures["lines"] == [
        f"{tmp_path}/cedarchest.toml 2026/11/23 12:00 True False",
        f"[1, {{'b': 2}}] {tmp_path}/state {tmp_path}/state/work",
        f"{tmp_path}/collect None {{}}",
    ]
    assert (result.exit_code, result.figures["package"]) == (0, "telling 1.0")
    assert isinstance(ports.reporter, RecordingReporter)
    assert ports.reporter.warnings == ["beware"]


def test_what_is_installed_without_a_table_is_not_even_imported(
    tmp_path: Path, installed: Install, ports: Ports
) -> None:
    installed("explosive", "raise SystemExit('boom')", explosive="it")
    found, _whole = run_all(tmp_path, ports)
    assert list(found) == ["collect"]
    assert ports.extensions.installed() == {"explosive"}
    assert "explosive" not in sys.modules
    line = problem(lambda: night.extension("explosive", full=False, dry_run=False)(
        tmp_path / "c", config(tmp_path), ports), ConfigError)  # fmt: skip
    assert line == "the configuration has no [extension.explosive] table"


def test_names_of_ours_and_what_is_no_name_are_no_extensions(installed: Install, ports: Ports) -> None:
    installed("shadows", "it = Extension(run=did)", collect="it", init="it", Upper="it", good="it")
    assert ports.extensions.installed() == {"good"}


def test_what_is_left_out_or_not_to_be_done_is_told(tmp_path: Path, installed: Install, ports: Ports) -> None:
    installed("partly", """
some = Extension(run=lambda call: Done(["one"], left_out=["two"]))
none = Extension(run=lambda call: Done(nothing_to_do=True))
""", some="some", none="none")  # fmt: skip
    some = run_alone(tmp_path, ports, "some")
    assert (some.exit_code, some.left_out, some.text) == (11, ("two",), ("some: one", "left out: two"))
    assert run_alone(tmp_path, ports, "none").told_outcome == "nothing-to-do"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise OSError('the disk is away')", "cannot be loaded: OSError: the disk is away"),
        ("import no_such_thing", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_thing'"),
        ("raise SystemExit(0)", "cannot be loaded: SystemExit: 0"),
        ("this is no python", "cannot be loaded: SyntaxError: invalid syntax"),
        ("", "cannot be loaded: AttributeError: module 'broken' has no attribute 'it'"),
        ("it = did", "cannot be loaded: broken:it is no cedarchest.extension.Extension"),
        (
            "it = Extension(run=did, before='collect')",
            "cannot be loaded: TypeError: before is one text, where",
        ),
    ],
)
def test_one_that_cannot_be_loaded_stops_nothing_else(
    tmp_path: Path, installed: Install, ports: Ports, code: str, said: str
) -> None:
    installed("broken", code, broken="it")
    installed("whole", "it = Extension(run=did, after=('broken',))", whole="it")
    line = problem(lambda: run_alone(tmp_path, ports, "broken"), ExtensionFailed)
    assert line.startswith(f"the extension broken of broken 1.0 {said}")
    found, whole = run_all(tmp_path, ports, "broken", "whole")
    outcomes = [(name, each["outcome"]) for name, each in found.items()]
    assert outcomes == [("broken", "failed"), ("collect", "ok"), ("whole", "ok")]
    assert (whole.exit_code, [each.message for each in whole.problems]) == (6, [line])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ExtensionFailed('the printer is off', advice='Switch it on.')", "the printer is off"),
        ("raise ValueError('so\\n  what')", "ValueError: so what"),
        ("raise SystemExit('enough')", "SystemExit: enough"),
        ("return 'done'", "it gave str instead of Done"),
        ("return Done('done')", "TypeError: lines is one text, where a tuple of texts belongs"),
        ("return Done([1 / 0])", "ZeroDivisionError: division by zero"),
    ],
)
def test_one_that_fails_is_a_failure_of_its_own(
    tmp_path: Path, installed: Install, ports: Ports, body: str, said: str
) -> None:
    installed(
        "failing", f"def run(call):\n    {body}\nit = Extension(run=run, before=('collect',))", fails="it"
    )
    line = problem(lambda: run_alone(tmp_path, ports, "fails"), ExtensionFailed)
    assert line == f"the extension fails of failing 1.0 failed: {said}"
    found, _whole = run_all(tmp_path, ports, "fails")
    assert list(found) == ["fails", "collect"]
    assert (tmp_path / "collect/cback.collect").exists()


def test_advice_of_an_author_is_passed_on(tmp_path: Path, installed: Install, ports: Ports) -> None:
    installed(
        "advising",
        "def run(call):\n    raise ExtensionFailed('off', advice='Switch it on.', printer='lp0')\n"
        "it = Extension(run=run)",
        advises="it",
    )
    with pytest.raises(ExtensionFailed) as caught:
        run_alone(tmp_path, ports, "advises")
    assert (caught.value.advice, caught.value.fields) == ("Switch it on.", {"printer": "lp0"})


def test_what_needs_a_failure_waits_and_so_does_what_needs_that(
    tmp_path: Path, installed: Install, ports: Ports
) -> None:
    installed("chain", """
def fail(call):
    raise ExtensionFailed("no")
first = Extension(run=fail, before=("collect",))
second = Extension(run=did, needs=("first",))
third = Extension(run=did, needs=("second",))
other = Extension(run=did, after=("first",), needs=("collect", "store"))
""", first="first", second="second", third="third", other="other")  # fmt: skip
    found, _whole = run_all(tmp_path, ports, "third", "second", "first", "other")
    told = {name: each["left_out"] for name, each in found.items()}
    assert told == {
        "first": [],
        "collect": [],
        "second": ["second: it needs first, which did not do its work"],
        "third": ["third: it needs second, which did not do its work"],
        "other": [],
    }
    assert list(told) == ["first", "collect", "second", "third", "other"]


def test_a_later_one_is_told_what_came_of_the_earlier(
    tmp_path: Path, installed: Install, ports: Ports
) -> None:
    installed("late", """
def run(call):
    return Done(f"{name} {each.exit_code}" for name, each in call.earlier.items())
it = Extension(run=run)
first = Extension(run=lambda call: Done(left_out=["x"]), before=["collect"])
""", late="it", first="first")  # fmt: skip
    found, _whole = run_all(tmp_path, ports, "late", "first")
    assert found["late"]["lines"] == ["first 11", "collect 0"]


def test_an_interrupt_ends_the_night_whatever_the_extension_makes_of_it(
    tmp_path: Path, installed: Install, ports: Ports
) -> None:
    installed("stubborn", """
from cedarchest.errors import Interrupted
def run(call):
    raise Interrupted("the run was interrupted")
it = Extension(run=run, before=("collect",))
""", stubborn="it")  # fmt: skip
    with pytest.raises(Interrupted):
        run_alone(tmp_path, ports, "stubborn")
    found, _whole = run_all(tmp_path, ports, "stubborn")
    assert list(found) == ["stubborn"]


@pytest.mark.parametrize("key", ["before", "after", "needs"])
def test_a_name_that_nobody_has_is_told_with_whose_it_is(
    tmp_path: Path, installed: Install, ports: Ports, key: str
) -> None:
    installed("lost", f"it = Extension(run=did, {key}=('colect',))", lost="it")
    plan = planned(tmp_path, ports, "lost")
    assert plan.order == NIGHT
    assert plan.broken["lost"].exit_code == 4
    line = f'extension.lost: its `{key}` names "colect", and there is no such action'
    assert (
        problem(lambda: check_extension("lost", config(tmp_path, "lost"), ports=ports), ConfigError) == line
    )


def test_a_circle_is_told_of_all_in_it_and_the_others_keep_their_order(
    tmp_path: Path, installed: Install, ports: Ports
) -> None:
    installed("round", """
a = Extension(run=did, before=("b",))
b = Extension(run=did, before=("a",))
c = Extension(run=did, after=("store",), before=("collect",))
d = Extension(run=did, before=("stage",), needs=("a",))
""", a="a", b="b", c="c", d="d")  # fmt: skip
    plan = planned(tmp_path, ports, "a", "b", "c", "d")
    assert plan.order == ("collect", "d", "stage", "store", "purge")
    assert sorted(plan.broken) == ["a", "b", "c"]
    messages = {name: error.message for name, error in plan.broken.items()}
    assert messages["a"].startswith("extension.a: its `before` and `after` go in a circle: ")
    assert all(each in messages["c"] for each in ("collect", "stage", "store", "c"))
    found, whole = run_all(tmp_path, ports, "a", "b", "d")
    assert found["d"]["left_out"] == ["d: it needs a, which did not do its work"]
    assert whole.exit_code == 4


def test_one_that_is_not_installed_is_named_and_stops_nothing(tmp_path: Path, ports: Ports) -> None:
    line = problem(lambda: run_alone(tmp_path, ports, "absent"), ConfigError)
    assert line == "extension.absent: no installed package brings this extension"
    found, whole = run_all(tmp_path, ports, "absent")
    assert (list(found), whole.exit_code) == (["absent", "collect"], 4)
    assert (tmp_path / "collect/cback.collect").exists()


def test_one_that_two_packages_bring_is_not_chosen_by_chance(
    tmp_path: Path, installed: Install, ports: Ports
) -> None:
    installed("one", "it = Extension(run=did)", same="it")
    installed("two", "it = Extension(run=did)", same="it")
    line = problem(lambda: run_alone(tmp_path, ports, "same"), ConfigError)
    assert line.startswith("extension.same: several packages bring it: ")
    assert "one 1.0" in line
    assert "two 1.0" in line


def test_settings_are_checked_before_it_is_run(tmp_path: Path, installed: Install, ports: Ports) -> None:
    installed("strict", """
def check(settings):
    yield from (f"{key}: is\\nwrong; nothing" for key in settings if key != "right")
def run(call):
    raise AssertionError("it was run")
it = Extension(run=run, check=check)
bare = Extension(run=run)
bad = Extension(run=run, check=lambda settings: settings["no"])
""", strict="it", bare="bare", bad="bad")  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        run_alone(tmp_path, ports, "strict", left=1, right=2)
    assert caught.value.problems == ("extension.strict.left: is wrong; nothing",)
    line = problem(lambda: run_alone(tmp_path, ports, "bare", odd=1), ConfigError)
    assert line == "extension.bare.odd: there is no such key; bare has none"
    line = problem(lambda: run_alone(tmp_path, ports, "bad"), ExtensionFailed)
    assert line == "the extension bad of strict 1.0 cannot check its settings: KeyError: 'no'"
    assert check_extension("strict", config(tmp_path, "strict", right=1), ports=ports) == "strict 1.0"
