"""Does a CMS signature use algorithms from our list, and does each go with the others and with the key?

SHA-256, SHA-384, SHA-512 with RSA (PKCS #1 v1.5 and PSS), ECDSA and Ed25519 (RFC 5754, 4056, 8419). SHA-1 is tolerated
by name (``signing.policy``), but not with PSS: whoever can do PSS can do SHA-256. Keys are ``signing.certificate``'s.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from asn1crypto import algos
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

SHA1 = "sha1"
STRONG = frozenset({"sha256", "sha384", "sha512"})

NO_PARAMETERS = (b"", b"\x05\x00")
"""Absent or NULL: clients write either, whatever the algorithm asks for."""

MECHANISMS: Mapping[str, tuple[type[object], frozenset[str]]] = {
    "rsassa_pkcs1v15": (rsa.RSAPublicKey, STRONG | {SHA1}),
    "sha1_rsa": (rsa.RSAPublicKey, frozenset({SHA1})),
    "sha256_rsa": (rsa.RSAPublicKey, frozenset({"sha256"})),
    "sha384_rsa": (rsa.RSAPublicKey, frozenset({"sha384"})),
    "sha512_rsa": (rsa.RSAPublicKey, frozenset({"sha512"})),
    "rsassa_pss": (rsa.RSAPublicKey, STRONG),
    "sha1_ecdsa": (ec.EllipticCurvePublicKey, frozenset({SHA1})),
    "sha256_ecdsa": (ec.EllipticCurvePublicKey, frozenset({"sha256"})),
    "sha384_ecdsa": (ec.EllipticCurvePublicKey, frozenset({"sha384"})),
    "sha512_ecdsa": (ec.EllipticCurvePublicKey, frozenset({"sha512"})),
    "ed25519": (ed25519.Ed25519PublicKey, frozenset({"sha512"})),
}
"""The key that an algorithm needs and the digests that may go with it."""


def disallowed(signer: Any, key: object, digests: frozenset[str]) -> Iterator[str]:
    """Everything that is not on our list, as sentences, the gravest first.

    Args:
        signer: a SignerInfo as asn1crypto reads it
        key: the public key of its certificate
        digests: those that are accepted, by the names of ``hashlib``
    """
    digest = signer["digest_algorithm"]["algorithm"].native
    if digest not in digests:
        yield f"The digest algorithm{_named(digest)} is not accepted."
    mechanism = signer["signature_algorithm"]["algorithm"].native
    key_type, going = MECHANISMS.get(mechanism, (type(None), frozenset()))
    if not isinstance(key, key_type):
        yield f"The signature algorithm{_named(mechanism)} is not accepted with this key."
    if digest not in going:
        yield f"The signature algorithm {mechanism} does not go with {digest}."
    if not has_no_parameters(signer["digest_algorithm"]):
        yield "The digest algorithm has parameters."
    if mechanism == "rsassa_pss":
        yield from _disallowed_pss(signer["signature_algorithm"]["parameters"], digest)
    elif not has_no_parameters(signer["signature_algorithm"]):
        yield "The signature algorithm has parameters."


def has_no_parameters(identifier: Any) -> bool:
    """Whether an AlgorithmIdentifier stands without parameters, or with NULL."""
    return identifier["parameters"].dump() in NO_PARAMETERS


def size_of(digest: str) -> int:
    """How many bytes a digest of that algorithm has."""
    return hashlib.new(digest, usedforsecurity=False).digest_size


def _disallowed_pss(parameters: algos.RSASSAPSSParams, digest: str) -> Iterator[str]:
    mask = parameters["mask_gen_algorithm"]
    used = {parameters["hash_algorithm"]["algorithm"].native, mask["parameters"]["algorithm"].native}
    trailer = parameters["trailer_field"].native
    if used != {digest} or mask["algorithm"].native != "mgf1" or trailer != "trailer_field_bc":
        yield f"The RSA-PSS parameters do not go with {digest}."


def _named(algorithm: str) -> str:
    """The name of an algorithm that has one; object identifiers are the sender's and may be of any length."""
    return f" {algorithm}" if algorithm.isidentifier() else ""
