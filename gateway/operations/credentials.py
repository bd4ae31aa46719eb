"""What can be asked of the keys of technical users and the certificates of senders; periods may overlap."""

from collections.abc import Iterator
from typing import Annotated, Final

from cryptography import x509
from pydantic import Field

from channels.sftp import algorithms
from gateway import accounts, parties
from gateway.operations.fields import OfPerson, SenderNumber, Span, ToldSpan
from gateway.operations.mandates import Ended
from gateway.operations.operation import (
    Asked,
    Change,
    Moment,
    Operation,
    Place,
    Read,
    Reason,
    Told,
    microseconds,
    moment,
    moment_or_none,
)
from gateway.register import credentials
from gateway.register.actor import Refusal, Why
from gateway.register.credentials import Shown


class OfSender(Place):
    """A sender."""

    sender: SenderNumber


class OfCertificate(OfSender):
    """A certificate of a sender, by its SHA-256 in hex."""

    certificate: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ToldKey(ToldSpan):
    """A public key, and when it is taken."""

    key: str
    type: str


class ToldKeys(Told):
    """The keys of a technical user, those of yesterday and tomorrow included."""

    keys: list[ToldKey]


class KeyWanted(Span):
    """A public key as OpenSSH writes it."""

    key: Annotated[str, Field(min_length=1, max_length=2048)]
    reason: Reason


class KeyNamed(Ended):
    """A key by its fingerprint, ``SHA256:`` and 43 characters."""

    key: Annotated[str, Field(pattern="^SHA256:[A-Za-z0-9+/]{43}$")]


class ToldFingerprint(Told):
    """What a key or a certificate goes by; ``remark`` is what is to be heeded, though it was taken."""

    fingerprint: str
    remark: str = ""


class ToldCertificate(ToldSpan):
    """A registration: of a certificate, or ``by_holder`` of all that its holder has of its issuer."""

    certificate: str
    by_holder: bool
    not_after: Moment


class ToldCertificates(Told):
    """The registrations of a sender, those that have ended included."""

    certificates: list[ToldCertificate]


class CertificateWanted(Span):
    """A certificate that signatures are made with, as PEM."""

    certificate: Annotated[str, Field(min_length=1, max_length=20_000)]
    reason: Reason


def _list_keys(asked: Asked, place: OfPerson) -> ToldKeys | Refusal:
    refused = credentials.user_refusal(asked.connection, asked.actor, place.username)
    return refused or ToldKeys(keys=list(_keys(asked, place.username)))


def _keys(asked: Asked, username: str) -> Iterator[ToldKey]:
    for key in accounts.keys_of(asked.connection, username):
        start, end = moment_or_none(key.period.start), moment_or_none(key.period.end)
        yield ToldKey(key=key.fingerprint, type=key.line.split()[0], valid_from=start, valid_to=end)


def _add_key(asked: Asked, place: OfPerson, body: KeyWanted) -> ToldFingerprint | Refusal:
    refused = credentials.user_refusal(asked.connection, asked.actor, place.username)
    if refused is not None:
        return refused
    try:
        key = algorithms.read_public_key(body.key)
    except ValueError as fault:
        return Refusal(Why.INVALID, str(fault))
    # As we would write it: it may have come in another form, or with a comment.
    line = " ".join(key.export_public_key().decode().split()[:2])
    done = credentials.add_key(asked.connection, asked.actor, place.username, line, body.period(), reason=body.reason)
    return done if isinstance(done, Refusal) else ToldFingerprint(fingerprint=done, remark=algorithms.advice(key))


def _end_key(asked: Asked, place: OfPerson, body: KeyNamed) -> ToldFingerprint | Refusal:
    at = asked.at if body.at is None else microseconds(body.at)
    done = credentials.end_key(asked.connection, asked.actor, place.username, body.key, at, reason=body.reason)
    return done if isinstance(done, Refusal) else ToldFingerprint(fingerprint=done)


def _list_certificates(asked: Asked, place: OfSender) -> ToldCertificates | Refusal:
    refused = credentials.sender_refusal(asked.connection, asked.actor, place.sender)
    if refused is not None:
        return refused
    found = parties.registered_certificates(asked.connection, place.sender)
    return ToldCertificates(
        certificates=[
            ToldCertificate(
                certificate=item.registration.fingerprint,
                by_holder=item.registration.holder is not None,
                not_after=moment(item.not_after),
                valid_from=moment_or_none(item.registration.period.start),
                valid_to=moment_or_none(item.registration.period.end),
            )
            for item in found
        ]
    )


def _add_certificate(asked: Asked, place: OfSender, body: CertificateWanted) -> ToldFingerprint | Refusal:
    refused = credentials.sender_refusal(asked.connection, asked.actor, place.sender)
    if refused is not None:
        return refused
    try:
        shown = Shown(x509.load_pem_x509_certificate(body.certificate.encode()), body.period())
    except ValueError:
        return Refusal(Why.INVALID, "this is no certificate in PEM")
    done = credentials.add_certificate(asked.connection, asked.actor, place.sender, shown, reason=body.reason)
    return done if isinstance(done, Refusal) else ToldFingerprint(fingerprint=done)


def _end_certificate(asked: Asked, place: OfCertificate, body: Ended) -> ToldFingerprint | Refusal:
    at = asked.at if body.at is None else microseconds(body.at)
    done = credentials.end_certificate(
        asked.connection, asked.actor, place.sender, place.certificate, at, reason=body.reason
    )
    return done if isinstance(done, Refusal) else ToldFingerprint(fingerprint=done)


_KEYS: Final = "/v1/technical-users/{username}/keys"
_CERTIFICATES: Final = "/v1/senders/{sender}/certificates"

OPERATIONS: Final[tuple[Operation, ...]] = (
    Read("listKeys", _KEYS, "The keys of a technical user.", OfPerson, ToldKeys, _list_keys),
    Change(
        "addKey",
        "POST",
        _KEYS,
        "Register a key, or give it other dates.",
        OfPerson,
        KeyWanted,
        ToldFingerprint,
        _add_key,
    ),
    Change("endKey", "POST", f"{_KEYS}/end", "End a key.", OfPerson, KeyNamed, ToldFingerprint, _end_key),
    Read(
        "listCertificates",
        _CERTIFICATES,
        "The certificates of a sender.",
        OfSender,
        ToldCertificates,
        _list_certificates,
    ),
    Change(
        "addCertificate",
        "POST",
        _CERTIFICATES,
        "Register a certificate, or give it other dates.",
        OfSender,
        CertificateWanted,
        ToldFingerprint,
        _add_certificate,
    ),
    Change(
        "endCertificate",
        "POST",
        f"{_CERTIFICATES}/{{certificate}}/end",
        "End a registration.",
        OfCertificate,
        Ended,
        ToldFingerprint,
        _end_certificate,
    ),
)
