"""How an extension reads and writes its own section: the names of Cedar Backup's `xmlutil`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from xml.dom.minidom import Document, Element, Node, Text, parseString

from cedarchest.config.cedar import reading, tree
from cedarchest.config.wording import Malformed

__all__ = [
    "FALSE_BOOLEAN_VALUES",
    "TRUE_BOOLEAN_VALUES",
    "VALID_BOOLEAN_VALUES",
    "addBooleanNode",
    "addContainerNode",
    "addIntegerNode",
    "addLongNode",
    "addStringNode",
    "createInputDom",
    "createOutputDom",
    "isElement",
    "readBoolean",
    "readChildren",
    "readFirstChild",
    "readFloat",
    "readInteger",
    "readLong",
    "readString",
    "readStringList",
    "serializeDom",
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


def given(xmlData: str | bytes | None, xmlPath: str | Path | None) -> bytes | None:
    """The document that is given, as a text or in a file, if any is.

    Raises:
        ValueError: both are given.
        OSError: the file cannot be read.
    """
    if xmlData is not None and xmlPath is not None:
        raise ValueError("xmlData and xmlPath are both given, and one of them is meant")
    if xmlPath is not None:
        return Path(xmlPath).read_bytes()
    return xmlData.encode() if isinstance(xmlData, str) else xmlData


def createOutputDom(name: str = "cb_config") -> tuple[Document, Element]:
    """A document, and its root of that name."""
    document = Document()
    root = document.createElement(name)
    document.appendChild(root)
    return document, root


def serializeDom(xmlDom: Document, indent: int = 3) -> str:
    """A document as a text."""
    return xmlDom.toprettyxml(indent=" " * indent, encoding="UTF-8").decode()


def addContainerNode(xmlDom: Document, parentNode: Element, nodeName: str) -> Element:
    """Add an element that others come into."""
    made = xmlDom.createElement(nodeName)
    parentNode.appendChild(made)
    return made


def addStringNode(xmlDom: Document, parentNode: Element, nodeName: str, nodeValue: str | None) -> Element:
    """Add an element with a text, empty where there is none."""
    made = addContainerNode(xmlDom, parentNode, nodeName)
    if nodeValue is not None:
        made.appendChild(xmlDom.createTextNode(nodeValue))
    return made


def addIntegerNode(xmlDom: Document, parentNode: Element, nodeName: str, nodeValue: int | None) -> Element:
    """Add an element with a whole number, empty where there is none."""
    return addStringNode(xmlDom, parentNode, nodeName, None if nodeValue is None else f"{nodeValue:d}")


def addLongNode(xmlDom: Document, parentNode: Element, nodeName: str, nodeValue: int | None) -> Element:
    """The same; Python 2 knew two kinds."""
    return addIntegerNode(xmlDom, parentNode, nodeName, nodeValue)


def addBooleanNode(xmlDom: Document, parentNode: Element, nodeName: str, nodeValue: bool | None) -> Element:
    """Add an element with yes or no, empty where there is neither."""
    text = None if nodeValue is None else "Y" if nodeValue else "N"
    return addStringNode(xmlDom, parentNode, nodeName, text)


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
