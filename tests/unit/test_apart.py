"""Folders of ours that lie in a collect dir are refused, and those beside it are not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from cedarchest.actions.apart import refuse_nested
from cedarchest.config.model import Config
from cedarchest.errors import ConfigError

PLACES = {"state": "p/state", "staging": "p/staging", "shelf": "p/shelf", "collect": "p/collect"}


def configured(base: Path, **places: str) -> Config:
    """A master that collects itself, with folders below `base`; `peer` is one more of this machine."""
    folders = PLACES | places
    mapping: dict[str, object] = {
        "options": {"state_dir": folders["state"]},
        "stage": {"dir": folders["staging"]},
        "store": {"device": ["/dev/sr0", "shelf:elsewhere", f"shelf:{folders['shelf']}"]},
        "collect": {"dir": folders["collect"]},
        "peer": [
            {"name": "here", "collect_dir": folders["collect"]},
            {"name": "too", "collect_dir": folders.get("peer", "p/peer")},
            {"name": "away", "host": "away", "collect_dir": str(base)},
        ],
    }
    return Config.from_mapping(mapping, base)


def problems(config: Config) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        refuse_nested(config)
    assert all(each in caught.value.message for each in caught.value.problems)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ({"shelf": "p/collect"}, "store.device: {0}/p/collect is collect.dir ({0}/p/collect)"),
        ({"shelf": "p/collect/x/s"}, "store.device: {0}/p/collect/x/s lies in collect.dir ({0}/p/collect)"),
        ({"staging": "p/collect"}, "stage.dir: {0}/p/collect is collect.dir ({0}/p/collect)"),
        ({"staging": "p/collect/s"}, "stage.dir: {0}/p/collect/s lies in collect.dir ({0}/p/collect)"),
        ({"state": "p/collect"}, "options.state_dir: {0}/p/collect is collect.dir ({0}/p/collect)"),
        ({"state": "p/collect/s"}, "options.state_dir: {0}/p/collect/s lies in collect.dir ({0}/p/collect)"),
        ({"peer": "p/staging"}, "stage.dir: {0}/p/staging is peer[1].collect_dir ({0}/p/staging)"),
        ({"shelf": "p/peer/s"}, "store.device: {0}/p/peer/s lies in peer[1].collect_dir ({0}/p/peer)"),
    ],
)
def test_a_folder_of_ours_in_a_collect_dir_is_refused(
    tmp_path: Path, places: Mapping[str, str], said: str
) -> None:
    assert problems(configured(tmp_path, **places)) == [said.format(tmp_path)]


def test_all_that_lies_in_it_is_named(tmp_path: Path) -> None:
    assert len(problems(configured(tmp_path, collect="p"))) == 3


@pytest.mark.parametrize(
    "places",
    [
        {},
        {"staging": "p/collect-of-all", "shelf": "p/collected"},
        {"collect": "p/staging/collect"},
        {"collect": "p/shelf/collect"},
        {"collect": "p/state/collect", "staging": "p/state/staging", "shelf": "p/state/discs"},
        {"state": "p", "shelf": "p"},
        {"collect": "/opt/backup/collect", "staging": "/opt/backup/staging", "state": "/var/lib/cedarchest"},
    ],
)
def test_what_does_no_harm_is_not_refused(tmp_path: Path, places: Mapping[str, str]) -> None:
    refuse_nested(configured(tmp_path, **places))


def test_a_folder_counts_wherever_a_link_to_it_stands(tmp_path: Path) -> None:
    (tmp_path / "p/collect").mkdir(parents=True)
    (tmp_path / "link").symlink_to("p/collect")
    (tmp_path / "p/collect/out").symlink_to("..")
    assert problems(configured(tmp_path, staging="link/staging")) == [
        f"stage.dir: {tmp_path}/link/staging lies in collect.dir ({tmp_path}/p/collect)"
    ]
    refuse_nested(configured(tmp_path, staging="p/collect/out/staging"))


def test_a_configuration_that_neither_collects_nor_stages_has_nothing_to_refuse(tmp_path: Path) -> None:
    refuse_nested(Config.from_mapping({"store": {"device": "shelf:s"}}, tmp_path))
