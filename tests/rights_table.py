"""The network's table of rights, written down a second time and in another form than the code has it."""

from typing import Final

COLUMNS: Final = ("rae", "co-rae", "gl", "co-gl", "user")

_TABLE: Final = """
    activate-quality     yes  yes  -    -    -
    name-gl              yes  yes  -    -    -
    manage-co-raes       yes  no   -    -    -
    manage-co-gls        yes  yes  yes  no   -
    manage-users         yes  yes  yes  yes  -
    name-technical-user  yes  yes  yes  yes  -
    change-quality       yes  yes  yes  yes  -
    see-enterprise       yes  yes  -    -    -
    choose-routing       -    -    yes  yes  -
    own                  yes  yes  yes  yes  yes
"""

TABLE: Final = {
    row: dict(zip(COLUMNS, (cell == "yes" for cell in cells), strict=True))
    for row, *cells in (line.split() for line in _TABLE.splitlines() if line.strip())
}
"""For each row of the table and each role, whether there is a yes."""
