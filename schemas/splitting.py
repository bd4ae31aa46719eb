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
from typing import BinaryIO, Final, NamedTuple

from schemas.codes import Code, Finding
from schemas.prolog import HEAD_BYTES, OPENING, REST_OF_TAG

MAX_TEXT: Final = 65536
MAX_IDLE: Final = 1048576
MAX_DEPTH: Final = 256
_PIECE_BYTES: Final = 262144

_SPACE: Final = b" \t\r\n"
_SPECIAL: Final = rb"!--|!\[CDATA\[|\?"
_MARK: Final = re.compile(rb"<(?:(/?)Form(?=[ \t\r\n/>])|" + _SPECIAL + rb")")
_PREFIXED_MARK: Final = re.compile(rb"<(?:(/?)(?:[^ \t\r\n/<>:!?]+:)?Form(?=[ \t\r\n/>])|" + _SPECIAL + rb")")
# The same where there is nothing special: begun with letters it is found four times as fast.
_FORM_MARK: Final = re.compile(rb"Form(?=[ \t\r\n/>])(?:(?<=<Form)|(?<=<(/)Form))")
_ENDS: Final = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}
_TAG: Final = re.compile(rb"</?[^ \t\r\n/<>]+" + REST_OF_TAG)
_SPACE_REFERENCE: Final = re.compile(rb"&#(?:0*(?:9|10|13|32)|x0*(?:9|[aAdD]|20));")
_NAME: Final = re.compile(rb"<([^ \t\r\n/>]+)")
_END_TAG: Final = re.compile(rb"</[^<>]*>")
_NOT_PLAIN: Final = re.compile(rb"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[(.*?)\]\]>", re.DOTALL)


class Form(NamedTuple):
    """One form as it stands in the document.

    ``number`` counts from 1, ``offset`` is that of its first byte. ``plain`` says that it has no comments, processing
    instructions or CDATA.
    """

    number: int
    offset: int
    content: bytes
    plain: bool

    def written_plainly(self) -> bytes:
        """The form without comments and instructions, and with character references in place of CDATA."""
        return self.content if self.plain else _NOT_PLAIN.sub(_without_cdata, self.content)


class Splitter:
    """Cuts a document, given piece by piece, into its forms; the first piece holds the whole start tag of the root.

    ``prefixed`` says that names may have a prefix, as they may where the root has a namespace.
    """

    def __init__(self, *, prefixed: bool = False) -> None:
        self.root_tag = b""
        self._root_end = b""
        self.forms = 0
        self.prefixed = prefixed
        self._mark = _MARK
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
            opening = OPENING.match(self._buffer)
            if opening is None:
                yield Finding(Code.XML_SYNTAX, "the root element's start tag is not at the beginning")
                return
            self.root_tag = opening[1]
            name = _NAME.match(self.root_tag)
            self._root_end = b"</%s>" % (name[1] if name else b"")
            self._forget(opening.end())
        self._mark = self._how_marked()
        yield from self._scan()
        if self._text + len(self._buffer) - self._scanned > MAX_TEXT:
            yield Finding(Code.XML_SYNTAX, f"a text or a tag of more than {MAX_TEXT} bytes")
        elif self._idle > MAX_IDLE:
            yield Finding(Code.XML_SYNTAX, f"more than {MAX_IDLE} bytes without an element or a text")
        elif self._depth > MAX_DEPTH:
            yield Finding(Code.XML_SYNTAX, f"more than {MAX_DEPTH} forms one in the other")
        elif len(self._outside) > MAX_TEXT:
            yield self._not_a_form()

    def close(self) -> Finding | None:
        """Say that the document ends here."""
        self._outside += self._buffer[self._scanned :]
        if self._depth or self._until or not (self._outside or self.root_tag.endswith(b"/>")):
            return Finding(Code.XML_SYNTAX, "not well-formed: the root element has no end")
        outside = self._found_outside()
        return None if not outside or _END_TAG.fullmatch(outside) else self._not_a_form()

    def alone(self, form: bytes, before: bytes = b"") -> bytes:
        """A document, in the encoding of the whole but without saying so, whose root holds just this form.

        ``before`` is what stands before the root.
        """
        return b"".join((before, self.root_tag, form, self._root_end))

    def _how_marked(self) -> re.Pattern[bytes]:
        if self.prefixed:
            return _PREFIXED_MARK
        special = max(self._buffer.find(b"!", self._scanned), self._buffer.find(b"?", self._scanned))
        return _FORM_MARK if special < 0 and not self._until else _MARK

    def _scan(self) -> Iterator[Form | Finding]:
        while not self._until or self._leave():
            mark = self._mark.search(self._buffer, self._scanned)
            if mark is None:
                self._pass(self._uncut())
                return
            start = self._buffer.rindex(b"<", self._scanned, mark.start() + 1)
            whole = mark if self._buffer[start + 1] in b"!?" else _TAG.match(self._buffer, start)
            self._pass(start)
            if whole is None:
                return
            if whole is mark:
                self._enter(mark[0])
            elif not mark[1] and not self._depth and self._found_outside():
                yield self._not_a_form()
                return
            else:
                yield from self._take(whole[0], ends=bool(mark[1]))

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
        last = self._buffer.rfind(b"<", self._scanned)
        return len(self._buffer) if last < 0 or self._buffer.find(b">", last) >= 0 else last

    def _forget(self, end: int) -> None:
        self._origin = self._scanned = end

    def _found_outside(self) -> bytes:
        """What stands between forms and is no space, however that is written."""
        if self._outside:
            self._outside = _SPACE_REFERENCE.sub(b"", self._outside).strip(_SPACE)
        return self._outside

    def _not_a_form(self) -> Finding:
        return Finding(Code.NOT_A_FORM, f"block {self.forms + 1}")


def pieces_of(content: BinaryIO) -> Iterator[bytes]:
    """The head of a document, then pieces of one size, also from a stream that gives fewer bytes at a time."""
    yield _read(content, HEAD_BYTES)
    while piece := _read(content, _PIECE_BYTES):
        yield piece


def _read(content: BinaryIO, size: int) -> bytes:
    read = content.read(size)
    if not read or len(read) == size:
        return read
    parts, missing = [read], size - len(read)
    while missing and (more := content.read(missing)):
        parts.append(more)
        missing -= len(more)
    return b"".join(parts)


def _without_cdata(match: re.Match[bytes]) -> bytes:
    text = match[1] or b""
    return text.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
