"""``features``: its commands, and what they end with. What they do is imported when it is asked for: help is quick."""

from __future__ import annotations

import sys

import typer
from typer.exceptions import TyperException

from feature_assets.cli import branch_app, catalog_app, data_app
from feature_assets.cli.foreign_errors import told
from feature_assets.cli.output import print_error
from feature_store.errors import FeatureStoreError

app = typer.Typer(
    help="Find features, read their values, and build training sets.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(catalog_app.commands)
app.add_typer(data_app.commands)
app.add_typer(branch_app.commands, name="branch")

BAD_INPUT = 2


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit: 0, or 2 with one line on stderr if what was asked for cannot be done.

    Args:
        arguments: as on the command line, without the program's name; None: those of this process.
    """
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run a command (without one, help); return the exit code."""
    try:
        code = app(arguments or ["--help"], prog_name="features", standalone_mode=False)
    except TyperException as error:
        return _refuse(error.format_message())
    except FeatureStoreError as error:
        return _refuse(str(error))
    except BrokenPipeError:  # the reader, e.g. `head`, has seen enough
        sys.stderr.close()
        return 0
    except BaseException as error:  # panics are no Exception
        message = told(error)
        if message is None:
            raise
        return _refuse(message)
    return code if isinstance(code, int) else 0


def _refuse(message: str) -> int:
    print_error(message)
    return BAD_INPUT
