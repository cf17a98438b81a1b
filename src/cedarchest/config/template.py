"""The commented configuration that `cedarchest init` writes: ready for a shelf in the same folder.

What starts with `#` and a letter is a key at its default; taking the `#` away changes nothing.
"""

from __future__ import annotations

import json

_TEMPLATE = """\
# Configuration of cedarchest. `cedarchest validate` tells whether it is right.
# Relative paths start from the folder of this file. Sizes: "64 MiB", "4.7 GB".
# Times: "10 s", "2 h", "14 days", "24 months". Lines as `#key = value` show the defaults.

[options]
# The day on which a week begins.
#starting_day = "monday"
# The program's own files: catalog, journal, locks.
state_dir = {state}
#working_dir = {working}
# A file that every run adds its log to.
#log_file = "/var/log/cedarchest.log"
# A run that finds it this large begins a new one, and so many old ones are kept.
#log_size = "10 MiB"
#log_keep = 5

[stage]
# Days wait for the disc below this folder, as YYYY/MM/DD.
dir = {staging}
# How many peers are staged at once.
#parallel = 4
# Space left free on the file system of the staging folder.
#reserve = "0 B"

# The machines that are backed up, a [[peer]] for each. Without `host` it is this one.
#[[peer]]
#name = "here"
#collect_dir = "collect"
#
#[[peer]]
#name = "other"
#host = "other.example.org"
#user = "backup"
#collect_dir = "/var/backups/collect"

# What this machine collects into archives, for staging: a [[collect.source]] for each folder or file.
#[collect]
#dir = "collect"
# daily: whole; weekly: whole, on the starting day; incr: whole on the starting day, then what is new.
#mode = "daily"
#archive = "tar.zst"
#exclude = ["*.tmp"]
#
#[[collect.source]]
#path = "/etc"

[store]
# A shelf keeps disc images in a folder and loads its own discs. For a burner: "/dev/sr0".
device = {device}
# What the device is: auto, cdwriter, dvdwriter, bdwriter, shelf.
#device_type = "auto"
# The medium; auto is whatever is in the drive, on a shelf dvd+r.
#media = "auto"
# A smaller disc, only for a shelf.
#capacity = "4700372992 B"
# When a new disc is begun: when-full, weekly, daily.
#new_disc = "when-full"
# On how many discs a day must be proven before it counts as stored.
#copies = 1
# now: each session is read back at once. deferred: it is unproven until `cedarchest verify` ran.
#check = "now"
# Nothing younger is given up when a disc is reused.
#retention = "14 days"
# Whether the label of the disc is compared with the one expected.
#check_media = true
# Whether a day that is stored after its midnight is warned of.
#warn_midnight = false
# How much of a disc must be left after a store, or else it is warned of: a size or a share.
#warn_free = "0 B"
# How long a drive gets to settle after its tray closed.
#load_delay = "10 s"
# Whether the disc is ejected at the end.
#eject = false
# When a disc is closed, so that nothing more can be added: never, when-full, always.
#close = "never"
# Whether the drive itself replaces bad blocks, at half the speed.
#defect_management = false
# Whether names are kept to what every system can read, or else refused.
#portable = false
# Space of a disc that is left free: a size or a share. Without it "0.5 %", on a shelf nothing.
#margin = "0 B"

# What is deleted when it is old, and proven to be on disc. A [[purge.dir]] for each directory.
#[[purge.dir]]
#path = {staging}
#retain_days = 14
#require_stored = true

# Programs run before or after an action, a [[hook]] for each. No shell is involved.
#[[hook]]
#action = "store"
#when = "after"
#argv = ["/usr/local/bin/label-the-disc", "--again"]

# Where news of a run is sent, a [[notify]] for each: any address that apprise takes. Keep this file, or the
# one that url_file names, to yourself. Outcomes are ok, nothing-to-do, partial, failed.
#[[notify]]
#url_file = "notify.url"
#on = ["partial", "failed"]

# A service that complains when no run came, such as healthchecks.io.
#[[ping]]
#url = "https://hc-ping.com/your-uuid"

# Actions of other packages: an [extension.NAME] for each that is to be run, with its own keys.
#[extension.label]
#dir = "labels"

[audit]
# A disc is due for a check when a MiB of it was not read and found good for so long.
#every = "12 months"
# How much of a disc an audit reads: what was read longest ago.
#sample = "100 %"

# Media for which it is another time.
#[audit.medium]
#dvd-rw = "6 months"

# When `cedarchest all` is to run; then `cedarchest schedule install --system` (or --user) sees to it.
#[schedule]
#at = "02:30"
"""


def template(*, staging: str = "staging", device: str = "shelf:shelf", state: str = "state") -> str:
    """A configuration as TOML, with these folders below its own and this device."""
    return _TEMPLATE.format(
        staging=quoted(staging), device=quoted(device), state=quoted(state), working=quoted(f"{state}/work")
    )


def quoted(text: str) -> str:
    """A text as a TOML basic string.

    Source: TOML 1.0, "String"; it differs from JSON in that DEL has to be escaped as well.
    """
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


_LEFT = """\
# Written by `cedarchest backup`, which had no configuration: with this one `discs`, `status` and `verify`
# find what it stored. `cedarchest backup --device` writes it anew. For one of your own: `cedarchest init`.

[options]
state_dir = {state}

[stage]
dir = {staging}

[store]
device = {device}
"""


def left_by_backup(state: str, staging: str, device: str) -> str:
    """The configuration that a `backup` leaves where there is none; all absolute."""
    return _LEFT.format(
        state=json.dumps(state, ensure_ascii=False),
        staging=json.dumps(staging, ensure_ascii=False),
        device=json.dumps(device, ensure_ascii=False),
    )
