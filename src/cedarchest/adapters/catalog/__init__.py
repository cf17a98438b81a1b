"""The catalog in a SQLite file. Importing this package imports SQLAlchemy: do it late."""

from cedarchest.adapters.catalog.catalog import SqlCatalog, open_catalog

__all__ = ["SqlCatalog", "open_catalog"]
