"""The console script `entrepot`: a table of commands whose modules load only when called."""

import importlib
import logging
import os
import sys
from collections.abc import Sequence

import click

from core.errors import BadInput, EntrepotError

COMMANDS = {
    "allocate": ("api.commands.allocate", "Allocates stock to regions at a proven optimum."),
    "bench": ("api.commands.bench", "Measures against a peer or floor in the same run."),
    "check": ("api.commands.check", "Reads a brand folder and lists every problem."),
    "events": ("api.commands.events", "Lists what moves demand and stops suppliers."),
    "example": ("api.commands.example", "Writes a brand folder that runs."),
    "forecast": ("api.commands.forecast", "Forecasts demand with quantiles."),
    "import": ("api.commands.imports", "Turns a workbook into a brand folder."),
    "key": ("api.commands.key", "Creates API keys."),
    "landed-cost": ("api.commands.landed_cost", "Quotes duty, tax and charges, and who pays."),
    "load": ("api.commands.load", "Loads a brand folder into the database."),
    "migrate": ("api.commands.migrate", "Brings the database to the newest schema."),
    "plan": ("api.commands.plan", "Plans one order; reserves nothing."),
    "reconcile": ("api.commands.reconcile", "Recomputes stock from the ledger and reports drift."),
    "reference": ("api.commands.reference", "Lists dated reference rows and which are old."),
    "scenario": ("api.commands.scenario", "Runs and compares what-if scenarios."),
    "score": ("api.commands.score", "Scores suppliers."),
    "serve": ("api.commands.serve", "Serves the API and the console."),
    "signals": ("api.commands.signals", "Parses hazard feeds and computes their impact."),
    "sweep": ("api.commands.sweep", "Releases reservations that have expired."),
    "tour": ("api.commands.tour", "Runs the whole story on the real example, then serves it."),
    "worker": ("api.commands.worker", "Works on background jobs."),
}


class LazyCommands(click.Group):
    """Ensures that `entrepot --help` imports no command, and a command only its own module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of all commands, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns the `command` object of a command's module; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the table of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(COMMANDS.items())])


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="entrepot")
def cli() -> None:
    """Entrepot decides where stock sits and how each order is served."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits: 0 done, 2 bad input, 1 anything else."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code of one command; problems and errors go to stderr, never a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        given = list(arguments) if arguments is not None else None
        code = cli.main(args=given, standalone_mode=False)  # what `context.exit` was given, or None
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except BadInput as error:
        for problem in error.problems:
            click.echo(problem if problem.file or problem.pointer else problem.problem, err=True)
        return 2
    except EntrepotError as error:
        click.echo(str(error), err=True)
        return 1
    except (KeyboardInterrupt, click.Abort):
        click.echo("Stopped.", err=True)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get("ENTREPOT_DEBUG"):
            raise
        return _surprised(error)
    return code if isinstance(code, int) else 0


def _surprised(error: Exception) -> int:
    """Says what no command foresaw; a file that cannot be read or written is bad input."""
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename is not None else ""
        click.echo(f"{place}{error.strerror}", err=True)
        return 2 if place else 1
    click.echo(f"{type(error).__name__}: {error} (ENTREPOT_DEBUG=1 shows where)", err=True)
    return 1


if __name__ == "__main__":
    main()
