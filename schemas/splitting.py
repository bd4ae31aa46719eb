"""Where in its bytes does each form of a document lie?

A well-formed document shows its forms by their tags alone, as ``<`` stands for nothing else outside comments,
processing instructions and CDATA. So forms are cut out as they were written, byte for byte, at a fraction of the cost
of a tree. Whether the document is well-formed and valid is judged beside this; what comes out counts only if it is.

What libxml2 doesn't bound is bounded here: it joins the pieces of a text in quadratic time, so a run of text may have
`MAX_TEXT` bytes, and it keeps all of an unfinished comment, so there may be `MAX_IDLE` bytes without an element. Both
give or take one piece.

Source: annex 30, codes 102, 205. Encodings are those of `schemas.prolog`, which all write markup as ASCII does.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from schemas.codes import Code, Finding

MAX_TEXT: Final = 65536
MAX_IDLE: Final = 1048576

_SPACE: Final = b" \t\r\n"
_REST_OF_TAG: Final = rb"""(?:[^<>"']|"[^"<]*"|'[^'<]*')*+>"""
_OPENING: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?(?>[ \t\r\n]+|<\?.*?\?>|<!--.*?-->)*+(<[^!?/<>]" + _REST_OF_TAG + rb")", re.DOTALL
)
_MARK: Final = re.compile(rb"<(?:(/?)Form(?=[ \t\r\n/>])|!--|!\[CDATA\[|\?)")
_LONGEST_MARK: Final = len("<![CDATA[")
_ENDS: Final = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}
_TAG: Final = re.compile(rb"</?Form" + _REST_OF_TAG)
_NAME: Final = re.compile(rb"<([^ \t\r\n/>]+)")
_END_TAG: Final = re.compile(rb"</[^<>]*>")


@dataclass(frozen=True, slots=True)
class Form:
    """One form as it stands in the document.

    ``number`` counts from 1, ``offset`` is that of its first byte. ``plain`` says that it has no comments, processing
    instructions or CDATA.
    """

    number: int
    offset: int
    content: bytes
    plain: bool


class Splitter:
    """Cuts a document, given piece by piece, into its forms; the first piece holds the whole start tag of the root."""

    def __init__(self) -> None:
        self.root_tag = b""
        self.forms = 0
        self._buffer = bytearray()
        self._base = 0  # the offset in the document of the first byte of the buffer
        self._origin = 0  # where in the buffer the form begins that has not ended yet
        self._scanned = 0
        self._depth = 0  # how many forms are open, as one may hold others
        self._plain = True
        self._until = b""  # what ends the comment, instruction or CDATA that has not ended yet
        self._text = 0
        self._idle = 0
        self._outside = b""  # what was found between forms, spaces and comments aside: at last the root's end tag

    def feed(self, piece: bytes) -> Iterator[Form | Finding]:
        """The forms that end in this piece; after a finding the document is refused and must not be fed again."""
        del self._buffer[: self._origin]
        self._base += self._origin
        self._scanned -= self._origin
        self._origin = 0
        self._buffer += piece
        if not self.root_tag:
            opening = _OPENING.match(self._buffer)
            if opening is None:
                yield Finding(Code.XML_SYNTAX, "the root element's start tag is not at the beginning")
                return
            self.root_tag = opening[1]
            self._forget(opening.end())
        yield from self._scan()
        if self._text > MAX_TEXT:
            yield Finding(Code.XML_SYNTAX, f"a text of more than {MAX_TEXT} characters")
        elif self._idle > MAX_IDLE:
            yield Finding(Code.XML_SYNTAX, f"more than {MAX_IDLE} bytes without an element or a text")
        elif len(self._outside) > MAX_TEXT:
            yield self._not_a_form()

    def close(self) -> Finding | None:
        """Say that the document ends here."""
        outside = bytes(self._outside + self._buffer[self._scanned :].strip(_SPACE))
        if self._depth or self._until or not (outside or self.root_tag.endswith(b"/>")):
            return Finding(Code.XML_SYNTAX, "not well-formed: the root element has no end")
        return None if not outside or _END_TAG.fullmatch(outside) else self._not_a_form()

    def alone(self, form: bytes) -> bytes:
        """A document, in the encoding of the whole but without saying so, whose root holds just this form."""
        name = _NAME.match(self.root_tag)
        return b"%s%s</%s>" % (self.root_tag, form, name[1] if name else b"")

    def _scan(self) -> Iterator[Form | Finding]:
        while not self._until or self._leave():
            mark = _MARK.search(self._buffer, self._scanned)
            if mark is None:
                self._pass(self._uncut())
                return
            begins, ends = mark[1] == b"", mark[1] == b"/"
            whole = _TAG.match(self._buffer, mark.start()) if begins or ends else mark
            markup = b"" if whole is None else whole[0]
            self._pass(mark.start())
            if not markup:
                self._text = len(self._buffer) - self._scanned
                return
            if begins and not self._depth and self._outside:
                yield self._not_a_form()
                return
            if begins or ends:
                yield from self._take(markup, ends=ends)
            else:
                self._enter(markup)

    def _take(self, tag: bytes, *, ends: bool) -> Iterator[Form]:
        """Go over the start or end tag of a form."""
        if not self._depth:
            self._plain = True
        self._depth += -1 if ends else 1
        self._depth -= tag.endswith(b"/>")
        self._scanned += len(tag)
        self._text = self._idle = 0
        if not self._depth:
            self.forms += 1
            content = bytes(self._buffer[self._origin : self._scanned])
            yield Form(self.forms, self._base + self._origin, content, self._plain)
            self._forget(self._scanned)

    def _enter(self, mark: bytes) -> None:
        """Go over the beginning of a comment, an instruction or CDATA."""
        self._until = _ENDS[mark]
        self._plain = False
        self._scanned += len(mark)

    def _leave(self) -> bool:
        """Go to the end of the comment, instruction or CDATA; whether it is there already."""
        end = self._buffer.find(self._until, self._scanned)
        reached = end + len(self._until) if end >= 0 else max(self._scanned, len(self._buffer) - 2)
        self._idle += reached - self._scanned
        if self._until == _ENDS[b"<![CDATA["]:
            self._text += reached - self._scanned
        self._scanned = reached
        if end >= 0:
            self._until = b""
        if not self._depth:
            self._forget(reached)
        return end >= 0

    def _pass(self, end: int) -> None:
        """Go over what has no mark in it; an element's tag begins the counts anew."""
        last = self._buffer.rfind(b"<", self._scanned, end)
        passed = end - max(last, self._scanned)
        self._text = passed if last >= 0 else self._text + passed
        self._idle = passed if last >= 0 else self._idle + passed
        if self._depth:
            self._scanned = end
            return
        self._outside += self._buffer[self._scanned : end].strip(_SPACE)
        self._forget(end)

    def _uncut(self) -> int:
        """Up to where no mark begins, not even one that is cut in two."""
        cut = self._buffer.find(b"<", max(self._scanned, len(self._buffer) - _LONGEST_MARK))
        return len(self._buffer) if cut < 0 else cut

    def _forget(self, end: int) -> None:
        self._origin = self._scanned = end

    def _not_a_form(self) -> Finding:
        return Finding(Code.NOT_A_FORM, f"block {self.forms + 1}")
