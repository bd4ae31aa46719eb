"""Whom does the gateway trust: accepted authorities, paths to them, and what is revoked.

``authorities`` is the folder that operators change, ``path`` the question that a verification asks.
"""
