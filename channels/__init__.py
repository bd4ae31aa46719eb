"""The doors: how files and messages come in and answers go out.  Imports only ``spool``, ``schemas``, ``config``."""
