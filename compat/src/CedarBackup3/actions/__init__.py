"""Backup actions."""
