"""The gateway's own signature: its keys, wherever they lie, and what it signs with them."""
