"""The documented names of Cedar Backup 2 that cedarchest provides."""
