"""How does the gateway sign with a key that it cannot read?

A private key in a PKCS#11 token (an HSM, a smart card): the token is handed what is to be signed, and the key never
leaves it. RSA by CKM_SHA256_RSA_PKCS; curves by CKM_ECDSA over a digest made here, which every token knows.

A token that goes away is trouble of our own. The library is started anew and the key looked up again, once at once and
then at every next signature, so a token that comes back is used again without a restart. Every other key that was
looked up before is then looked up again too: the numbers that it goes by may be another key's by now. A PIN that was
refused is not offered again: some tokens lock themselves at the third.
"""

import hashlib
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pkcs11
from pkcs11 import KeyType, Mechanism, ObjectClass, PKCS11Error
from pkcs11.types import SignMixin
from pkcs11.util.ec import encode_ecdsa_signature

from config.errors import ConfigurationError, TemporaryError
from signing.own.pkcs11_uri import KeyUri

# Starting a library anew ends every session of the process with it (PKCS #11, C_Finalize), whoever uses it just then.
_ONE_AT_A_TIME: Final = threading.Lock()
# How often each library was started anew.
_RESTARTS: Final = Counter[Path]()

_PIN_REFUSED: Final = (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, pkcs11.PinLocked, pkcs11.PinExpired)
_WORDS: Final = {
    pkcs11.NoSuchToken: "there is no such token",
    pkcs11.MultipleTokensReturned: "more than one token fits",
    pkcs11.NoSuchKey: "the token has no such private key, or shows it only with a PIN",
    pkcs11.MultipleObjectsReturned: "more than one private key fits",
    pkcs11.PinIncorrect: "the token refuses the PIN",
    pkcs11.PinLocked: "the token has locked its PIN",
}


class TokenUnavailable(TemporaryError):  # noqa: N818 -- says what is missing, as TrustUnavailable does
    """The token cannot sign now; what was to be signed is kept and tried again."""


@dataclass(slots=True)
class Pkcs11Key:
    """A private key in a token; thread-safe.  Make it with :func:`open_pkcs11_key`."""

    uri: KeyUri
    pin: str | None = field(repr=False)
    _key: SignMixin | None = None
    _restarts: int = 0
    _pin_refused: bool = False

    def sign(self, content: bytes) -> bytes:
        """The signature over the SHA-256 of ``content``: PKCS#1 v1.5, or ECDSA in DER (RFC 3279, 2.2.3).

        Raises:
            TokenUnavailable: the token is away or fails
        """
        with _ONE_AT_A_TIME:
            if self._key is not None and not self._is_from_before:
                with suppress(PKCS11Error):
                    return _sign(self._key, content)
            try:
                return _sign(self._reopened(), content)
            except PKCS11Error as fault:
                self._key = None
                raise TokenUnavailable(f"{self.uri.name}: {_words(fault)}") from fault

    def open(self) -> SignMixin:
        """Look the key up, in a new session.

        Raises:
            PKCS11Error: there is no such key, or no such token, or it refuses the PIN
        """
        self._restarts = _RESTARTS[self.uri.module]
        token = self._token()
        try:
            session = token.open(user_pin=self.pin)
        except pkcs11.UserAlreadyLoggedIn:
            # Another key of the same token has done it: a login is for all sessions of a process.
            session = token.open()
        except _PIN_REFUSED:
            self._pin_refused = True
            raise
        key = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=self.uri.label, id=self.uri.id)
        if not isinstance(key, SignMixin):
            raise PKCS11Error("the token does not let this key sign")
        self._key = key
        return key

    @property
    def _is_from_before(self) -> bool:
        """Whether the library was started anew since the key was looked up."""
        return self._restarts != _RESTARTS[self.uri.module]

    def _reopened(self) -> SignMixin:
        self._key = None
        if self._pin_refused:
            raise PKCS11Error("the token refused the PIN, which is not offered again before a restart")
        if self._is_from_before:
            try:
                return self.open()
            except _PIN_REFUSED:
                raise
            except PKCS11Error:
                pass  # it went away once more
        _RESTARTS[self.uri.module] += 1
        pkcs11.lib(str(self.uri.module)).reinitialize()
        return self.open()

    def _token(self) -> pkcs11.Token:
        wanted = self.uri.token
        fitting = [
            token
            for token in pkcs11.lib(str(self.uri.module)).get_tokens(token_label=wanted.get("token"))
            if wanted.get("serial", token.serial.decode(errors="replace")) == token.serial.decode(errors="replace")
            and wanted.get("manufacturer", token.manufacturer_id) == token.manufacturer_id
            and wanted.get("model", token.model) == token.model
        ]
        if not fitting:
            raise pkcs11.NoSuchToken
        if len(fitting) > 1:
            raise pkcs11.MultipleTokensReturned
        return fitting[0]


def open_pkcs11_key(uri: KeyUri, pin: str | None) -> Pkcs11Key:
    """The key that ``uri`` names, looked up in its token.

    Args:
        uri: the key and its token
        pin: the user's PIN; None for a token that wants none

    Raises:
        ConfigurationError: there is no such library, token or key, or the token refuses the PIN
    """
    key = Pkcs11Key(uri, pin)
    with _ONE_AT_A_TIME:
        try:
            key.open()
        except PKCS11Error as fault:
            raise ConfigurationError([f"{uri.name}: {_words(fault)}"]) from fault
    return key


def _sign(key: SignMixin, content: bytes) -> bytes:
    if key.key_type == KeyType.RSA:
        return key.sign(content, mechanism=Mechanism.SHA256_RSA_PKCS)
    return encode_ecdsa_signature(key.sign(hashlib.sha256(content).digest(), mechanism=Mechanism.ECDSA))


def _words(fault: PKCS11Error) -> str:
    """What to say of a failure; the library's own words are there only where it has no name for it."""
    return _WORDS.get(type(fault)) or (str(fault) if type(fault) is PKCS11Error else type(fault).__name__)
