"""Drafts a migration: `python -m api.migrations.draft "what changes"`."""

import sys

from api.migrations.schema import draft

if __name__ == "__main__":
    print(draft(" ".join(sys.argv[1:])))
