"""Settings: what an operator decides, and the errors every room shares.  Imports nothing of the gateway."""
