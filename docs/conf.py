"""How the handbook is made of the repository's pages: one book of ``docs/``, README and the READMEs of rooms.

The source folder is the repository itself, so that a link between two pages, and from a page to a file of the code, is
the same on the Git host and in the book; a file that is no page is put beside the book.  Nothing is fetched when it is
made, and nothing when it is read.
"""

project = "Batch gateway"
copyright = "the authors of the batch gateway"  # noqa: A001  # Sphinx's own name for it
language = "en"

extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "spool/README.md", "docs/**"]
exclude_patterns = [".*", "**/.*", "*.egg-info", "docs/prometheus", "tests", "benchmarks", "scripts"]

myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_title = project
html_copy_source = False
html_extra_path = ["front"]
html_static_path = ["style"]
html_css_files = ["handbook.css"]
