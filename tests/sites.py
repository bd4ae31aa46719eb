"""Sites to run gateways on, and one authority for all of them."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from signing.own import keys
from signing.trust import authorities
from signing.trust.authorities import Authorities
from tests.authority import Credential, Pki
from tests.gateway_process import GatewayProcess, Site, make_test_site, running

_KEYS: Final = 4


@pytest.fixture(scope="session", autouse=True)
def few_signing_keys() -> Iterator[None]:
    """The keys of sites are a few, taken in turn; to make one anew takes longer than what most tests do with it."""
    made: list[rsa.RSAPrivateKey] = []
    turns = count()

    def generate_private_key(public_exponent: int, key_size: int) -> rsa.RSAPrivateKey:
        turn = next(turns) % _KEYS
        if turn == len(made):
            made.append(rsa.generate_private_key(public_exponent, key_size))
        return made[turn]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "rsa", SimpleNamespace(generate_private_key=generate_private_key))
        yield


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """An authority that nobody but these tests accepts."""
    return Pki.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def signer(pki: Pki) -> Credential:
    """The sender's registered certificate."""
    return pki.issue("Payroll")


@pytest.fixture(scope="module")
def accepted(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    """The authority of the module, or of all of them, as verification is given it."""
    folder = tmp_path_factory.mktemp("authorities")
    pki.install(folder, "test")
    return authorities.load(folder)


@pytest.fixture
def site(tmp_path: Path, pki: Pki, signer: Credential) -> Site:
    """A site nobody has used yet."""
    return make_test_site(tmp_path, pki, signer)


@pytest.fixture
def gateway(site: Site) -> Iterator[GatewayProcess]:
    """A gateway that runs on ``site``."""
    with running(site) as process:
        yield process
