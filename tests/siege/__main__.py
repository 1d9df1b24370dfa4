"""`python -m tests.siege sqlite|postgres`: prints the verdict; ends with 1 where one was found."""

import argparse
import json
import sys

from tests.siege.attack import Plan, besiege


def main() -> int:
    """Runs one siege as the command line asks."""
    usual = Plan()
    parser = argparse.ArgumentParser(prog="python -m tests.siege", description=__doc__)
    parser.add_argument("database", choices=("sqlite", "postgres"))
    parser.add_argument("--seconds", type=float, default=usual.seconds)
    parser.add_argument("--operations", type=int, default=usual.operations)
    parser.add_argument("--clients", type=int, default=usual.clients)
    parser.add_argument("--kills", type=int, default=usual.kills)
    parser.add_argument("--database-kills", type=int, default=usual.database_kills)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--speed", type=float, default=usual.speed)
    asked = vars(parser.parse_args())
    verdict = besiege(asked.pop("database"), Plan(**asked))
    print(json.dumps(verdict.as_json(), indent=1))
    return 0 if verdict.held else 1


if __name__ == "__main__":
    sys.exit(main())
