"""What receipts tell the machine that collected: on how many discs each content is proven to be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from cedarchest.errors import StagingError
from cedarchest.model.handover import is_receipt, read_receipt
from cedarchest.model.index import Kind
from cedarchest.model.names import to_text
from cedarchest.ports import FolderItem, Ports


def copies_told(root: Path, items: Iterable[FolderItem], ports: Ports) -> Mapping[bytes, int]:
    """On how many verified discs each content is, by the receipts that the master left in a collect dir.

    `items` are all that is in it.
    """
    told: dict[bytes, int] = {}
    for item in items:
        if item.kind is not Kind.FILE or not is_receipt(item.path):
            continue
        try:
            for received in read_receipt(ports.folders.read(root, item)):
                told[received.sha256] = max(told.get(received.sha256, 0), received.copies)
        except (StagingError, ValueError) as error:
            ports.reporter.warn(f"the receipt {root}/{to_text(item.path)} is of no use: {error}")
    return told
