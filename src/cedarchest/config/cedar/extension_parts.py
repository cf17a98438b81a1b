"""The sections of the extensions that come with Cedar Backup, from their elements."""

from __future__ import annotations

from cedarchest.config.cedar import reading
from cedarchest.config.cedar.reading import Part
from cedarchest.config.cedar.sections import AmazonS3, Capacity, Databases, Dumped, Dumps, Encrypt, Excludes
from cedarchest.config.choices import CollectMode

_MODES = reading.one_of(*CollectMode)
_PACKINGS = reading.one_of("none", "gzip", "bzip2")


def databases(part: Part | None, *, has_password: bool) -> Databases | None:
    """Section `mysql` or `postgresql`."""
    if part is None:
        return None
    return Databases(
        user=part.text("user"),
        password=part.text("password") if has_password else None,
        compress=part.read("compress_mode", _PACKINGS),
        all=bool(part.read("all", reading.flag)),
        names=part.texts("database"),
    )


def subversion(part: Part | None) -> Dumps | None:
    """Section `subversion`; the type of a repository says nothing more."""
    if part is None:
        return None
    found = [("repository", False), ("repository_dir", True)]
    items = [_dumped(each, is_dir=is_dir) for name, is_dir in found for each in part.parts(name)]
    return Dumps(part.read("collect_mode", _MODES), part.read("compress_mode", _PACKINGS), tuple(items))


def mbox(part: Part | None) -> Dumps | None:
    """Section `mbox`."""
    if part is None:
        return None
    found = [("file", False), ("dir", True)]
    items = [_dumped(each, is_dir=is_dir) for name, is_dir in found for each in part.parts(name)]
    return Dumps(part.read("collect_mode", _MODES), part.read("compress_mode", _PACKINGS), tuple(items))


def _dumped(part: Part, *, is_dir: bool) -> Dumped:
    if "repository" in part.place:
        part.text("type")
    left_out = part.part("exclude") if is_dir else None
    return Dumped(
        part.read("abs_path", reading.path),
        part.read("collect_mode", _MODES),
        part.read("compress_mode", _PACKINGS),
        is_dir,
        Excludes(rel_paths=left_out.texts("rel_path"), patterns=left_out.read_all("pattern", reading.regex))
        if left_out
        else Excludes(),
    )


def encrypt(part: Part | None) -> Encrypt | None:
    """Section `encrypt`."""
    if part is None:
        return None
    return Encrypt(part.read("encrypt_mode", reading.one_of("gpg")), part.text("encrypt_target"))


def amazons3(part: Part | None) -> AmazonS3 | None:
    """Section `amazons3`."""
    if part is None:
        return None
    part.read("warn_midnite", reading.flag)
    part.read("full_size_limit", reading.size)
    part.read("incr_size_limit", reading.size)
    return AmazonS3(part.text("s3_bucket"), part.text("encrypt") is not None)


def capacity(part: Part | None) -> Capacity | None:
    """Section `capacity`."""
    if part is None:
        return None
    return Capacity(part.read("max_percentage", reading.percentage), part.read("min_bytes", reading.size))


def split(part: Part | None) -> bool:
    """Whether there is a section `split`."""
    if part is not None:
        part.read("size_limit", reading.size)
        part.read("split_size", reading.size)
    return part is not None
