"""Configurations of Cedar Backup 2 and 3: read as they are, told as ours."""
