"""On what terms is an authority accepted?

The optional ``authority.toml`` of an entry, for instance::

    environments = ["T", "S"]                      # live: R, the default; for rehearsal: T, S or both; never mixed
    purposes = ["DIMN"]                            # message types; default all
    policies = ["2.16.56.12.1.1.2.1"]              # a signer's certificate has one of them; default any
    key_usages = ["non_repudiation"]               # it has one of them; default this and digital_signature
    accepted_from = 2026-01-01T00:00:00+01:00      # this moment is in
    accepted_to = 2027-01-01T00:00:00+01:00        # this one is out
    revocation_max_age_hours = 24                  # an older list or OCSP response says nothing; default what it says
    issues = ["signatures"]                        # signatures, timestamps: whose certificates; default signatures
    crl_from = ["http://pki.example/issuing.crl"]  # where its lists are fetched, if fetching is on; default nowhere
    ocsp_from = "http://ocsp.example/"             # where its responder is asked, if fetching is on; default nowhere

With fetching on, only ``crl_from`` and ``ocsp_from`` are asked, never an address that a certificate names.

Policies are looked for in the signer's certificate only: national authorities in the field list them by a longer number
there than in the authority's own certificate, so that the explicit policy of RFC 5280, 6.1 would refuse every signer.
Whether a certificate meets the terms is ``signing.trust.path``'s question, except for moment and use, which are asked
here.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, HttpUrl, TypeAdapter, ValidationError

from config.errors import ConfigurationError


def _as_written(url: str) -> str:
    """An address whose parts are right, spelled as it was given."""
    TypeAdapter(HttpUrl).validate_python(url)
    return url


KeyUsage = Literal["digital_signature", "non_repudiation"]
Environment = Literal["R", "T", "S"]
Issue = Literal["signatures", "timestamps"]
_Oid = Annotated[str, Field(pattern=r"^[0-2](\.(0|[1-9][0-9]*)){1,30}$", max_length=128)]
_Purpose = Annotated[str, Field(pattern=r"^[0-9A-Z]{1,16}$")]
_Url = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9\[][!-~]*$", max_length=1024), AfterValidator(_as_written)]


@dataclass(frozen=True, slots=True)
class Use:
    """What a signature is for: environment (R, T, S) and message type of its submission; None leaves it open.

    ``timestamps`` asks about the certificate of a timestamp authority instead of a signer's.
    """

    environment: str | None = None
    purpose: str | None = None
    timestamps: bool = False


class Terms(BaseModel):
    """The terms of one authority; without any it is accepted in production, for everything and for ever."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    environments: frozenset[Environment] = Field(default=frozenset(("R",)), min_length=1)
    purposes: frozenset[_Purpose] = frozenset()
    policies: frozenset[_Oid] = frozenset()
    key_usages: frozenset[KeyUsage] = Field(default=frozenset(("digital_signature", "non_repudiation")), min_length=1)
    accepted_from: Annotated[AwareDatetime, Field(strict=True)] | None = None
    accepted_to: Annotated[AwareDatetime, Field(strict=True)] | None = None
    revocation_max_age_hours: Annotated[float, Field(strict=True, gt=0, lt=100_000)] | None = None
    issues: frozenset[Issue] = Field(default=frozenset(("signatures",)), min_length=1)
    crl_from: tuple[_Url, ...] = Field(default=(), max_length=32)
    ocsp_from: _Url | None = None

    @property
    def revocation_max_age(self) -> timedelta | None:
        """How old a revocation list or OCSP response may be at the moment that is judged."""
        return None if self.revocation_max_age_hours is None else timedelta(hours=self.revocation_max_age_hours)

    def refusal(self, at: datetime, use: Use) -> str:
        """Why signatures of this authority are not accepted then or for that, as a sentence; empty if they are."""
        if self.accepted_from is not None and at < self.accepted_from:
            return "The authority of the signer's certificate was not accepted yet."
        if self.accepted_to is not None and at >= self.accepted_to:
            return "The authority of the signer's certificate is accepted no more."
        if ("timestamps" if use.timestamps else "signatures") not in self.issues:
            return "The authority of the signer's certificate is not accepted for this kind of certificate."
        if use.environment is not None and use.environment not in self.environments:
            return f"The authority of the signer's certificate is not accepted in environment {use.environment}."
        if use.purpose is not None and self.purposes and use.purpose not in self.purposes:
            return f"The authority of the signer's certificate is not accepted for {use.purpose}."
        return ""


def check_terms(facts: Mapping[str, Any]) -> Terms:
    """Make terms of plain values, with the names and kinds of ``authority.toml``.

    Raises:
        ConfigurationError: with every fault
    """
    try:
        terms = Terms.model_validate(dict(facts))
    except ValidationError as fault:
        raise ConfigurationError([_describe(error) for error in fault.errors(include_input=False)]) from fault
    faults: list[str] = []
    if terms.accepted_from and terms.accepted_to and terms.accepted_from >= terms.accepted_to:
        faults.append("accepted_to: it is not later than accepted_from")
    if "R" in terms.environments and len(terms.environments) > 1:
        faults.append("environments: R stands alone, since an authority is live or for rehearsal")
    if faults:
        raise ConfigurationError(faults)
    return terms


def read_terms(path: Path) -> Terms:
    """The terms in a file; those of an absent file demand nothing.

    Raises:
        ConfigurationError: with every fault, each after the file's name
    """
    try:
        content = path.read_bytes().decode()
        return check_terms(tomllib.loads(content))
    except FileNotFoundError:
        return Terms()
    except OSError as error:
        raise ConfigurationError([f"{path}: {error.strerror}"]) from error
    except ConfigurationError as error:
        raise ConfigurationError([f"{path}: {fault}" for fault in error.faults]) from error
    except ValueError as error:
        raise ConfigurationError([f"{path}: not a TOML file: {error}"]) from error


def write_terms(terms: Terms) -> str:
    """The text of ``authority.toml`` that says these terms; empty if they demand nothing."""
    said = terms.model_dump(exclude_defaults=True)
    return "".join(f"{key} = {_toml(value)}\n" for key, value in said.items())


def _toml(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(sorted(value) if isinstance(value, frozenset) else value)


def _describe(error: Any) -> str:
    key = ".".join(str(step) for step in error["loc"])
    return f"{key}: there is no such key" if error["type"] == "extra_forbidden" else f"{key}: {error['msg']}"
