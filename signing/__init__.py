"""Is this signature good, whose is it, and ours.

``verify`` is the door: a file and its signature go in, evidence or a coded fault comes out. Behind it ``cms`` and
``xmldsig`` do shape and mathematics, ``path`` asks whether an accepted authority (``authorities``) stands behind the
signer and has not revoked it. ``sign`` and ``keys`` are about the gateway's own signature. Nothing here uses a network.
"""
