"""Commands for a checkout; nothing here is installed."""
