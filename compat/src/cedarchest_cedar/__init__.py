"""What the documented names of Cedar Backup share: thin over cedarchest, with no rule of its own."""
