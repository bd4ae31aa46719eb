"""The register in bulk: read from files and written to them, by kinds of record.

``files`` reads and writes CSV and JSON, ``values`` and ``kinds`` say what a record of each kind holds, ``staging``
keeps what was read while ``examining`` asks the ``rules``, ``stored`` and ``writing`` know the tables, ``importing``
and ``exporting`` are the two ways.
"""
