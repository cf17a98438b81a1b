"""The documented names of Cedar Backup 3 that cedarchest provides."""
