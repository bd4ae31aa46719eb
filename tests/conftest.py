"""Fixtures that tests on every rung may ask for."""

import pytest
from hypothesis import settings

from tests.broker import broker, broker_node
from tests.broker_cluster import broker_cluster
from tests.clamd import clamd
from tests.guarded_broker import guarded_broker, guarded_node
from tests.journals import databases_of, journal, migrated_once, shared_database
from tests.market_made import market, market_hall
from tests.postgres import cluster
from tests.sites import accepted, few_signing_keys, gateway, pki, signer, site

__all__ = [
    "accepted",
    "broker",
    "broker_cluster",
    "broker_node",
    "clamd",
    "cluster",
    "few_signing_keys",
    "gateway",
    "guarded_broker",
    "guarded_node",
    "journal",
    "market",
    "market_hall",
    "migrated_once",
    "pki",
    "shared_database",
    "signer",
    "site",
]

# How long an example takes says something about the machine and not about the example.
settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--every-database``."""
    parser.addoption("--every-database", action="store_true", help="run every test with a journal on PostgreSQL too")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Say on which databases a test with a journal runs."""
    databases = databases_of(metafunc)
    if "journal" in metafunc.fixturenames and len(databases) > 1:
        metafunc.parametrize("journal", databases, indirect=True)
