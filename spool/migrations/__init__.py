"""The steps from an empty database to ``spool.tables``."""
