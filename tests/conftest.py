"""Fixtures that tests on every rung may ask for."""

from tests.broker import broker, broker_node
from tests.broker_cluster import broker_cluster, broker_cluster_nodes
from tests.guarded_broker import guarded_broker, guarded_node
from tests.journals import journal
from tests.market_made import market, market_hall
from tests.postgres import cluster
from tests.sites import accepted, gateway, pki, signer, site

__all__ = [
    "accepted",
    "broker",
    "broker_cluster",
    "broker_cluster_nodes",
    "broker_node",
    "cluster",
    "gateway",
    "guarded_broker",
    "guarded_node",
    "journal",
    "market",
    "market_hall",
    "pki",
    "signer",
    "site",
]
