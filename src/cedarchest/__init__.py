"""Backups you can hold: staged days on optical discs, read back and proven."""

__version__ = "0.1.0"
