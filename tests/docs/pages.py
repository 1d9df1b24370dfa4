"""Reference pages that are drawn from tables in the code; `make format` writes them."""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from api.app import create_app
from api.cli import COMMANDS, cli
from api.settings import Settings
from core.folder.reference import reference_page

REFERENCE = Path(__file__).parent.parent.parent / "docs" / "reference"


def command_line_page() -> str:
    """Returns the help of every command as Markdown."""
    parts = [
        "# The command line\n",
        "Commands work on a brand folder, with no database unless they say so. `--json` prints one",
        "JSON document on stdout; tables, progress and messages go to stderr or to a terminal.",
        "Exit codes: 0 done, 2 bad input (each problem at its place), 1 anything else.\n",
    ]
    for name, (module, _) in sorted(COMMANDS.items()):
        command = importlib.import_module(module).command
        parts += list(_sections(command, f"entrepot {name}"))
    return "\n".join(parts)


def _sections(command: click.Command, path: str) -> list[str]:
    context = click.Context(
        command, info_name=path, terminal_width=96, max_content_width=96, parent=None
    )
    context.help_option_names = list(cli.context_settings["help_option_names"])
    parts = [f"## {path}\n", "```text", command.get_help(context), "```\n"]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            parts += _sections(inner, f"{path} {name}")
    return parts


def http_page() -> str:
    """Returns every route of the API as Markdown, from its own OpenAPI document."""
    document = create_app(Settings()).openapi()
    parts = [
        "# HTTP\n",
        "The routes, as the running service describes them at `/openapi.json` and, with forms to",
        "try them, at `/docs`. Errors are problem documents (RFC 9457) with a stable `code` and",
        "JSON pointers; money is `{amount, currency}` in minor units; times are RFC 3339.\n",
        "| route | does | answers |",
        "| --- | --- | --- |",
    ]
    for path, methods in sorted(document["paths"].items()):
        parts += [_route(method.upper(), path, told) for method, told in methods.items()]
    return "\n".join(parts) + "\n"


def _route(method: str, path: str, told: Mapping[str, Any]) -> str:
    codes = ", ".join(code for code in told["responses"] if code.isdigit())
    does = " ".join(told.get("description", "").partition("\n\n")[0].split())
    return f"| `{method} {path}` | {does} | {codes} |"


PAGES: dict[str, Callable[[], str]] = {
    "brand-folder.md": reference_page,
    "command-line.md": command_line_page,
    "http.md": http_page,
}


def main() -> None:
    """Writes every page that is drawn."""
    for name, draw in PAGES.items():
        (REFERENCE / name).write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
