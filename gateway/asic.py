"""How are files kept together under one signature of ours?

An ASiC-E container with CAdES (ETSI EN 319 162-1): a ZIP whose first entry is its media type, a manifest with the
digest of every file, and our signature over the manifest. Nothing is compressed, so that reading costs no more than the
file is large. What the files say is not known here.
"""

import base64
import hashlib
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from lxml import etree

from signing.own.check import fault_of

_MEDIA_TYPE: Final = b"application/vnd.etsi.asic-e+zip"
_MIMETYPE: Final = "mimetype"
_MANIFEST: Final = "META-INF/ASiCManifest.xml"
_SIGNATURE: Final = "META-INF/signature.p7s"
_ASIC: Final = "http://uri.etsi.org/02918/v1.2.1#"
_DS: Final = "http://www.w3.org/2000/09/xmldsig#"
_SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"
_MAX_MANIFEST: Final = 4 * 1024**2
_MAX_ENTRIES: Final = 10_000


class Writing:
    """A container that is being written; files first, then the signature."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self._digests: dict[str, bytes] = {}
        file.writestr(_MIMETYPE, _MEDIA_TYPE)

    def add(self, name: str, content: bytes) -> None:
        """Put a file in."""
        self._file.writestr(name, content)
        self._digests[name] = hashlib.sha256(content).digest()

    def add_file(self, name: str, path: Path) -> None:
        """Put a file in, however large it is."""
        digest = hashlib.sha256()
        with path.open("rb") as source, self._file.open(name, "w", force_zip64=True) as target:
            while piece := source.read(1 << 20):
                digest.update(piece)
                target.write(piece)
        self._digests[name] = digest.digest()

    def manifest(self) -> bytes:
        """What is to be signed: the digest of every file there is."""
        root = etree.Element(f"{{{_ASIC}}}ASiCManifest", nsmap={"asic": _ASIC, "ds": _DS})
        etree.SubElement(
            root, f"{{{_ASIC}}}SigReference", {"URI": _SIGNATURE, "MimeType": "application/pkcs7-signature"}
        )
        for name, digest in self._digests.items():
            reference = etree.SubElement(root, f"{{{_ASIC}}}DataObjectReference", {"URI": name})
            etree.SubElement(reference, f"{{{_DS}}}DigestMethod", {"Algorithm": _SHA256})
            etree.SubElement(reference, f"{{{_DS}}}DigestValue").text = base64.b64encode(digest).decode("ascii")
        return etree.tostring(root, xml_declaration=True, encoding="UTF-8")

    def close(self, manifest: bytes, signature: bytes) -> None:
        """Put manifest and signature (CMS, DER) in; nothing comes after them."""
        self._file.writestr(_MANIFEST, manifest)
        self._file.writestr(_SIGNATURE, signature)


def fault_in(file: zipfile.ZipFile, certificates: Collection[bytes]) -> str:
    """The first thing about a container that does not fit; empty if all is as it was signed.

    Args:
        certificates: those that may have signed it, DER
    """
    entries = file.infolist()
    names = [entry.filename for entry in entries]
    if len(names) > _MAX_ENTRIES or len(names) != len(set(names)):
        return "the container has too many files, or two of one name"
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        return "the container is compressed, which ours are not"
    if not names or names[0] != _MIMETYPE or file.read(entries[0]) != _MEDIA_TYPE:
        return "the container does not begin with the media type of ASiC-E"
    for name in (_MANIFEST, _SIGNATURE):
        if name not in names or file.getinfo(name).file_size > _MAX_MANIFEST:
            return f"{name} is missing"
    manifest = file.read(_MANIFEST)
    if wrong := fault_of(manifest, file.read(_SIGNATURE), certificates):
        return f"{_MANIFEST}: {wrong}"
    return _misfit(file, _listed(manifest), set(names) - {_MIMETYPE, _MANIFEST, _SIGNATURE})


def _misfit(file: zipfile.ZipFile, listed: Mapping[str, bytes], there: set[str]) -> str:
    for name, digest in listed.items():
        if name not in there:
            return f"{name} is missing"
        with file.open(name) as content:
            if hashlib.file_digest(content, "sha256").digest() != digest:  # type: ignore[arg-type]  # reads as it must
                return f"{name} was changed"
    for name in sorted(there - set(listed)):
        return f"{name} was put in"
    return ""


def _listed(manifest: bytes) -> dict[str, bytes]:
    """The digests of a manifest that we have signed."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    root = etree.fromstring(manifest, parser)
    listed = {}
    for reference in root.iterfind(f"{{{_ASIC}}}DataObjectReference"):
        value = reference.findtext(f"{{{_DS}}}DigestValue") or ""
        listed[reference.get("URI", "")] = base64.b64decode(value)
    return listed
