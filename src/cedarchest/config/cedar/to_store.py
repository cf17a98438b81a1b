"""Sections `store` and `purge` as our tables; what is secret there becomes a reserved key."""

from __future__ import annotations

from cedarchest.config.cedar.draft import Draft
from cedarchest.config.cedar.sections import CedarConfig, PurgeDir, Store
from cedarchest.config.units import format_size
from cedarchest.config.wording import shown

MEDIA = {"cdr-74": "cd-r", "cdr-80": "cd-r", "cdrw-74": "cd-rw", "cdrw-80": "cd-rw"}
REWRITABLE = frozenset({"cdrw-74", "cdrw-80", "dvd+rw"})
FASTEST = 100
LONGEST_DAYS = 36_500

LATEST = "0 days"
"""The retention under which last week's disc is given up, as Cedar Backup does."""

REUSE = (
    "as with Cedar Backup, the disc in the drive is begun anew when the week is, and what"
    " it holds is gone, yesterday's day too, even if no other disc has it. With several discs in turn write"
    ' "14 days": then a disc is refused that holds anything younger.'
)
ROWS = (
    (
        "store: every session is read back and compared, always; Cedar Backup did so with check_data only,"
        " and otherwise took the burner's word for it. `cback.store` is written after that alone."
    ),
    (
        "store: a disc that is not ours is refused unless it is named (`initialize --overwrite-foreign`);"
        " Cedar Backup wrote over it. Its own discs take sessions once `catalog rebuild` has entered them."
    ),
    (
        "store: the week of the staged day decides on a new disc, not the day on which it is stored; after"
        " midnight Cedar Backup put the new week on the old disc, or erased it for last week's last day."
    ),
    (
        "store: the drive says how much a disc holds; Cedar Backup believed in fixed sizes, on a DVD in 24"
        " MB that are not there. Days that do not fit on one disc go on to the next."
    ),
    (
        "store: all days that are staged and not stored are stored, with 0 when there is none; Cedar"
        " Backup took one, of today, yesterday or tomorrow, and ended with 6 when there was none."
    ),
)
PURGE = (
    (
        "purge: only what is proven to be on disc is deleted, by paths that cannot lead out of the folder;"
        " Cedar Backup deleted all that was old, stored or not. `require_stored = false` at a"
        " [[purge.dir]] does so too."
    ),
    (
        "purge: the age of what is staged is that of its day, elsewhere the later of mtime and ctime;"
        " Cedar Backup counted from the last reading as well, so that whatever read a file kept it. Empty"
        " folders go in one run."
    ),
)
PLAIN = "nothing that is meant to be secret is written in plain: `store` ends with 4 while this key is there"


def write_store(config: CedarConfig, draft: Draft) -> None:
    """Table `[store]`, with the keys that refuse what is meant to be encrypted, or to be elsewhere."""
    store, reserved = config.store, _reserved(config, draft)
    device = store.target_device if store else None
    if store is None:
        draft.missing.append("<store>: is missing; nothing is stored from here")
    elif device is None:
        draft.missing.append("<target_device> in store: is missing; without it nothing can be stored")
    if store is None or device is None:
        if reserved:
            draft.table("store")
            _write_reserved(reserved, draft)
        return
    draft.table("store")
    draft.put("device", device)
    draft.put("device_type", store.device_type)
    draft.put("media", MEDIA.get(store.media_type or "", store.media_type))
    _write_new_disc(store, draft)
    _write_checks(store, draft)
    _write_drive(store, draft)
    _write_capacity(config, draft)
    _write_reserved(reserved, draft)
    draft.taken.append(f"<store>: to {shown(device)}")
    for line in ROWS:
        draft.differs(line)


def _write_new_disc(store: Store, draft: Draft) -> None:
    blank = store.blank
    period = (blank.mode if blank else None) or "weekly"
    draft.put("new_disc", period, "A disc lasts for a week, as with Cedar Backup." if not blank else "")
    if blank:
        draft.put("blank_factor", blank.factor)
        for name in ("mode", "factor"):
            if getattr(blank, name) is None:
                draft.missing.append(
                    f"<{name}> in blank_behavior: is missing, and Cedar Backup broke off at it"
                )
    if store.media_type is None:
        draft.missing.append("<media_type> in store: is missing; whatever is in the drive is used")
    if store.media_type is None or store.media_type in REWRITABLE:
        draft.put("retention", LATEST, f"MIND THIS: {REUSE}")
        draft.differs(f"store, retention: {REUSE}")


def _write_checks(store: Store, draft: Draft) -> None:
    draft.put(
        "check",
        "now",
        ""
        if store.check_data
        else "Each session is read back, though check_data was N: that is the point of it.",
    )
    draft.put("check_media", store.check_media)
    if store.check_media is None:
        draft.differs(
            "store: the label of the disc is compared with the one expected, as with check_media Y;"
            " `check_media = false` takes any disc of ours that has room"
        )
    draft.put("warn_midnight", store.warn_midnite)


def _write_drive(store: Store, draft: Draft) -> None:
    if store.drive_speed is not None and store.drive_speed > FASTEST:
        draft.untaken.append(
            f"<drive_speed> {store.drive_speed}: no drive is so fast; the drive's best is used"
        )
    elif store.drive_speed is not None:
        draft.put("speed", store.drive_speed)
    if store.refresh_media_delay:
        draft.put("load_delay", f"{min(store.refresh_media_delay, 10**9)} s")
        draft.differs(
            "<refresh_media_delay>: is the longest that a drive is waited for, not a pause; the drive is"
            " asked"
        )
    if store.eject_delay:
        draft.differs(f"<eject_delay> {store.eject_delay}: there is no such pause; the drive is asked")
    if store.no_eject is not None:
        draft.differs(
            "<no_eject>: has no counterpart; a tray is opened and closed only where the drive can close it"
            " and nothing else would read the disc anew, and a failure of that fails nothing"
        )
    if store.target_scsi_id is not None:
        draft.differs(
            f"<target_scsi_id> {shown(store.target_scsi_id)}: is not needed; the drive is the one of"
            " target_device"
        )


def _write_capacity(config: CedarConfig, draft: Draft) -> None:
    """What a store is to warn of; whether a day fits is worked out in any case before anything is written."""
    capacity = config.capacity
    if capacity is None:
        return
    if capacity.max_percentage is not None and capacity.min_bytes is not None:
        draft.untaken.append("<min_bytes> in capacity: <max_percentage> is there as well, and counts")
    if capacity.max_percentage:
        draft.put("warn_free", f"{100 - capacity.max_percentage:f} %")
    elif capacity.min_bytes is not None:
        draft.put("warn_free", format_size(capacity.min_bytes))
    else:
        draft.missing.append("<capacity>: says neither how full a disc may be nor what has to be left")
        return
    draft.differs("<capacity>: each store that writes looks at it, and warns where there is less room")


def _reserved(config: CedarConfig, draft: Draft) -> dict[str, str]:
    keys: dict[str, str] = {}
    if config.encrypt or config.runs("encrypt"):
        keys["encrypt"] = f"gpg:{(config.encrypt.target if config.encrypt else None) or ''}"
        draft.untaken.append(f"<encrypt>: encryption is not built yet; {PLAIN}")
    if config.amazons3 or config.runs("amazons3"):
        keys["s3"] = (config.amazons3.bucket if config.amazons3 else None) or "bucket"
        draft.untaken.append(f"<amazons3>: storing at S3 is not built yet; {PLAIN}")
    return keys


def _write_reserved(keys: dict[str, str], draft: Draft) -> None:
    for key, value in keys.items():
        draft.put(key, value, f"NOT BUILT YET: {PLAIN}. Take it out to have days on disc as they are.")


def write_purge(purge: tuple[PurgeDir, ...] | None, draft: Draft) -> None:
    """Tables `[[purge.dir]]`."""
    if purge is None:
        draft.missing.append("<purge>: is missing; nothing is purged")
        return
    for each in purge:
        if each.abs_path is None or each.retain_days is None:
            absent = "abs_path" if each.abs_path is None else "retain_days"
            draft.missing.append(f"<dir> in purge: has no <{absent}>, and is left out")
            continue
        draft.table("purge.dir", several=True)
        draft.put("path", each.abs_path)
        draft.put("retain_days", min(each.retain_days, LONGEST_DAYS))
        draft.taken.append(f"<dir> {shown(each.abs_path)} in purge: {each.retain_days} days")
    if purge:
        for line in PURGE:
            draft.differs(line)
