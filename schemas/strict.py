"""How is the XML of a stranger read?

With a new parser each time, from bytes and never from a file name (libxml2 would unpack a compressed file), without
DTD, entities or network, without repairs, and within libxml2's own limits on depth (256), text (10 MB) and names.
A DOCTYPE is not refused by these options; `schemas.prolog` does that.
"""

from typing import Final, TypedDict

from lxml import etree

from schemas.codes import Code, Finding


class _Options(TypedDict):
    resolve_entities: bool
    no_network: bool
    load_dtd: bool
    dtd_validation: bool
    attribute_defaults: bool
    huge_tree: bool
    recover: bool
    remove_comments: bool
    remove_pis: bool


STRICT: Final[_Options] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "attribute_defaults": False,
    "huge_tree": False,
    "recover": False,
    "remove_comments": True,
    "remove_pis": True,
}


def malformed(error: etree.XMLSyntaxError) -> Finding:
    """The finding for XML that is not well-formed: the place only, as libxml2's own words quote the document."""
    line, column = error.position
    return Finding(Code.XML_SYNTAX, f"not well-formed at line {line}, column {column}" if line else "not well-formed")
