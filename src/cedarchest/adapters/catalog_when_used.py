"""A catalog that only its first use opens: most of a short run would be the import of SQLAlchemy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cedarchest.adapters.catalog import SqlCatalog


class CatalogWhenUsed:
    """What the catalog at a URL has; it is opened by its first use, or before."""

    def __init__(self, url: str, *, read_only: bool) -> None:
        self._url, self._read_only = url, read_only
        self._catalog: SqlCatalog | None = None

    def __getattr__(self, name: str) -> Any:
        """What the catalog has under that name."""
        return getattr(self.open(), name)

    def open(self) -> SqlCatalog:
        """Open it, if it is not yet.

        Raises:
            CatalogError: it cannot be opened.
        """
        if self._catalog is None:
            from cedarchest.adapters.catalog import open_catalog

            self._catalog = open_catalog(self._url, read_only=self._read_only)
        return self._catalog

    def close(self) -> None:
        """Close it if it was opened."""
        if self._catalog is not None:
            self._catalog.close()
