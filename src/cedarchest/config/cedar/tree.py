"""XML to a tree of elements: nothing but names, texts and lines.

Expat of the standard library does the parsing. What XML can do beyond that is refused before it is acted on:
declarations of entities and anything from elsewhere. Depth and number of elements have limits, and nothing
here calls itself, so that neither a bomb nor a deep tree costs more than reading it. A text is what stands
before the first element or comment in its element, which is what Cedar Backup takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from cedarchest.config.wording import shown
from cedarchest.errors import ConfigError

LARGEST = 1 << 20
DEEPEST = 16
MOST = 50_000


@dataclass(slots=True)
class Element:
    """An element: its name, the line it begins on, its text, what is in it; `stray` is other text in it."""

    name: str
    line: int
    text: str = ""
    attributes: tuple[str, ...] = ()
    children: list[Element] = field(default_factory=list)
    stray: bool = False


def parse(raw: bytes) -> Element:
    """The root of a document.

    Raises:
        ConfigError: it is no XML, or XML that no configuration needs.
    """
    if len(raw) > LARGEST:
        raise refused("is larger than 1 MiB, so it is no configuration")
    builder = _Builder()
    try:
        builder.parser.Parse(raw, True)  # noqa: FBT003 - expat knows no keywords
    except expat.ExpatError as error:
        slip = expat.ErrorString(error.code) or "a slip"
        raise refused(f"line {error.lineno}: {slip}; this is no XML") from None
    except (LookupError, ValueError) as error:  # an encoding that Python does not have, or cannot use here
        if isinstance(error, ConfigError):
            raise
        raise refused("its encoding is not known, or not what it says") from None
    if builder.root is None:
        raise refused("holds no element")
    return builder.root


def refused(problem: str) -> ConfigError:
    """The error for XML that is not read."""
    return ConfigError(
        problem, problems=[problem], advice="Correct the XML, or name another file; nothing was taken over."
    )


class _Builder:
    """What expat calls while it reads."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._whole: list[bool] = []  # whether the text of each open element is complete
        self._count = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.ordered_attributes = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.EntityDeclHandler = self._entity
        self.parser.ExternalEntityRefHandler = self._outside
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.CommentHandler = self._comment

    @property
    def _line(self) -> int:
        return self.parser.CurrentLineNumber

    def _doctype(self, _name: str, system: str | None, public: str | None, subset: bool) -> None:  # noqa: FBT001
        if system or public or subset:
            raise refused(
                f"line {self._line}: its document type declares something; a configuration needs none"
            )

    def _entity(self, *_declared: object) -> None:
        raise refused(f"line {self._line}: it declares an entity; a configuration needs none")

    def _outside(self, *_named: object) -> int:
        raise refused(f"line {self._line}: it refers to something outside of it; a configuration needs none")

    def _start(self, name: str, attributes: list[str]) -> None:
        self._count += 1
        if len(self._open) >= DEEPEST:
            raise refused(f"line {self._line}: is nested too deeply; {shown(name)} lies {DEEPEST} deep")
        if self._count > MOST:
            raise refused(f"line {self._line}: has more than {MOST} elements, so it is no configuration")
        element = Element(name, self._line, attributes=tuple(attributes[::2]))
        if self._open:
            self._whole[-1] = True
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._whole.append(False)

    def _end(self, _name: str) -> None:
        self._open.pop()
        self._whole.pop()

    def _comment(self, _text: str) -> None:
        if self._open and self._open[-1].text:
            self._whole[-1] = True

    def _text(self, text: str) -> None:
        if self._whole[-1]:
            self._open[-1].stray = self._open[-1].stray or bool(text.strip())
        else:
            self._open[-1].text += text
