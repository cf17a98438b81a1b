"""Drives."""
