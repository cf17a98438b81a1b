"""The edges: one module for each tool or thing outside."""
