"""What the restore action does: what is wanted, where it stands, how it is read, and how it is written."""
