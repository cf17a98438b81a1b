"""How an extension reads its own section: the names of Cedar Backup's `xmlutil`, for reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from xml.dom.minidom import Document, Element, Node, Text, parseString

from cedarchest.config.cedar import reading, tree
from cedarchest.config.wording import Malformed

__all__ = [
    "FALSE_BOOLEAN_VALUES",
    "TRUE_BOOLEAN_VALUES",
    "VALID_BOOLEAN_VALUES",
    "createInputDom",
    "isElement",
    "readBoolean",
    "readChildren",
    "readFirstChild",
    "readFloat",
    "readInteger",
    "readLong",
    "readString",
    "readStringList",
]

TRUE_BOOLEAN_VALUES = ["Y", "y"]
FALSE_BOOLEAN_VALUES = ["N", "n"]
VALID_BOOLEAN_VALUES = [*TRUE_BOOLEAN_VALUES, *FALSE_BOOLEAN_VALUES]

Value = TypeVar("Value")


def createInputDom(xmlData: str | bytes, name: str = "cb_config") -> tuple[Document, Element | None]:
    """The document of a text, and its element `name`, which is None where its root is called otherwise.

    Raises:
        ValueError: it is no XML, or XML that is not taken, such as one that declares entities.
    """
    raw = xmlData.encode() if isinstance(xmlData, str) else xmlData
    tree.parse(raw)
    document = parseString(raw)  # noqa: S318 - what is dangerous was refused before
    root = document.documentElement
    return document, root if root is not None and root.nodeName == name else None


def isElement(node: Node) -> bool:
    """Whether a node is an element."""
    return node.nodeType == Node.ELEMENT_NODE


def readChildren(parent: Element | None, name: str) -> list[Element]:
    """The children of a name, in order."""
    children = parent.childNodes if parent is not None else ()
    return [each for each in children if isinstance(each, Element) and each.nodeName == name]


def readFirstChild(parent: Element | None, name: str) -> Element | None:
    """The first child of a name; None where there is none."""
    return next(iter(readChildren(parent, name)), None)


def readStringList(parent: Element | None, name: str) -> list[str] | None:
    """The texts of all children of a name that have one; None where none has."""
    return [text for each in readChildren(parent, name) if (text := _text(each))] or None


def readString(parent: Element | None, name: str) -> str | None:
    """The text of the first child of a name that has one; None where none has."""
    return next(iter(readStringList(parent, name) or ()), None)


def readInteger(parent: Element | None, name: str) -> int | None:
    """A whole number, or None.

    Raises:
        ValueError: it is none.
    """
    return _read(parent, name, reading.whole(None))


def readLong(parent: Element | None, name: str) -> int | None:
    """The same; Python 2 knew two kinds.

    Raises:
        ValueError: it is none.
    """
    return readInteger(parent, name)


def readFloat(parent: Element | None, name: str) -> float | None:
    """A number, or None.

    Raises:
        ValueError: it is none.
    """
    return _read(parent, name, float)


def readBoolean(parent: Element | None, name: str) -> bool | None:
    """Yes or no, or None.

    Raises:
        ValueError: it is neither.
    """
    return _read(parent, name, reading.flag)


def _text(element: Element) -> str:
    first = element.firstChild
    return first.data if isinstance(first, Text) else ""


def _read(parent: Element | None, name: str, rule: Callable[[str], Value]) -> Value | None:
    text = readString(parent, name)
    try:
        return None if text is None else rule(text)
    except Malformed as error:
        raise ValueError(f"<{name}>: {error}") from None
