"""`python -m tests.fuzz --examples 200`: fuzzes with the key of every role; 1 where one failed."""

import argparse
import sys

from api.services.keys import ROLES
from tests.fuzz.fuzzing import fuzz, house


def main() -> int:
    """Runs as the command line asks; further options go to Schemathesis."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="made up for each operation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--role", action="append", choices=ROLES, help="one or more; else all")
    parser.add_argument("--database", default="", help="SQLAlchemy URL of an empty database")
    asked, options = parser.parse_known_args()
    failed = []
    with house(asked.database) as served:
        for role in asked.role or ROLES:
            done = fuzz(served, role, asked.examples, asked.seed, options)
            print(f"--- {role}", done.stdout, done.stderr, sep="\n", flush=True)
            if done.returncode:
                failed.append(role)
    print(f"Failed with the key of: {', '.join(failed)}." if failed else "All checks held.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
