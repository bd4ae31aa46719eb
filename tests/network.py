"""A good path whose revocation a vector tells: its members, and the extensions of lists."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography import x509

from tests.hierarchy import Extension, Known, List, Member, Verdict, certify, judge_by, sign_for


@dataclass
class Network:
    """A good path, whose issuing authority's list a vector writes."""

    root: Member = field(default_factory=lambda: certify("Root"))
    issuing: Member = field(init=False)
    signer: Member = field(init=False)

    def __post_init__(self) -> None:
        """Make the two below."""
        self.issuing = certify("Issuing", self.root)
        self.signer = sign_for(self.issuing)

    def judge(self, folder: Path, *lists: List) -> tuple[Verdict, str]:
        """Both verdicts with these lists and a good one of the root's."""
        return self.judge_by(folder, Known([each.dump() for each in lists]))

    def judge_by(self, folder: Path, known: Known) -> tuple[Verdict, str]:
        """Both verdicts with what is known, and a good list of the root's."""
        lists = [List(self.root).dump(), *known.lists]
        return judge_by(folder, [self.root, self.issuing, self.signer], replace(known, lists=lists))


def scope(**parts: bool | list[x509.GeneralName] | frozenset[x509.ReasonFlags] | None) -> Extension:
    """An issuing distribution point."""
    nothing = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**(nothing | parts)), True  # type: ignore[arg-type]  # by its names


def reason(flag: x509.ReasonFlags) -> Extension:
    """Why a certificate was revoked."""
    return x509.CRLReason(flag), False
