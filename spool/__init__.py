"""Custody: uploads, submissions, answers and the journal.  Imports only ``schemas`` and ``config``."""
