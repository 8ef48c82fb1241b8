"""The command `featrix-server`, also `python -m featrix_server`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from featrix_server.process import ServerRecord

NOT_RUNNING = 3
"""Exit code of ``status`` when no server runs."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        return _run(arguments)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "featrix_server":
            raise  # our own fault, not a missing extra
        _complain(
            f"the module {error.name!r} is missing: the embedded server is not installed. "
            "Install it with: pip install 'featrix-notebook[local]'"
        )
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="featrix-server", description="The embedded server of Featrix Notebook."
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="folder of models and settings (default: FEATRIX_HOME, or the user's data folder)",
    )
    listen = argparse.ArgumentParser(add_help=False)
    listen.add_argument("--port", type=_port, help="port to listen on (default: a free one)")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser(
        "start", parents=[common, listen], help="start the server in the background"
    )
    commands.add_parser(
        "status", parents=[common], help=f"tell whether it runs (exit code {NOT_RUNNING} if not)"
    )
    commands.add_parser("stop", parents=[common], help="stop the server")
    logs = commands.add_parser("logs", parents=[common], help="print the end of its log")
    logs.add_argument("-n", "--lines", type=int, default=50, help="lines to print (default: 50)")
    logs.add_argument("-f", "--follow", action="store_true", help="go on printing as it grows")
    commands.add_parser(
        "serve", parents=[common, listen], help="run the server here, in the foreground (default)"
    )
    # Without a command: serve, with the defaults.
    parser.set_defaults(command="serve", data_dir=None, port=None)
    return parser


def _port(text: str) -> int:
    port = int(text) if text.isdecimal() else -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return port


def _run(arguments: argparse.Namespace) -> int:
    # Here, not above: these need the [local] extra, and only `serve` needs the heavy ones.
    from featrix_server import process
    from featrix_server.settings import Settings

    given = {"data_dir": arguments.data_dir, "port": getattr(arguments, "port", None)}
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValueError as error:  # pydantic's text names each setting at fault
        _complain(f"wrong settings (FEATRIX_SERVER_... variables): {error}")
        return 1
    data_dir = settings.data_dir.absolute()
    try:
        match arguments.command:
            case "start":
                record, started = process.start(data_dir, arguments.port)
                print("Started:" if started else "Already running:", _describe(record, data_dir))
            case "status":
                running = process.find_running(data_dir)
                if running is None:
                    print(f"No server runs on {data_dir}.")
                    return NOT_RUNNING
                print("Running:", _describe(running, data_dir))
            case "stop":
                stopped = process.stop(data_dir)
                print(f"Stopped {stopped.url}." if stopped else f"No server runs on {data_dir}.")
            case "logs":
                from featrix_server.logs import print_log

                print_log(data_dir / process.LOG_FILE, arguments.lines, arguments.follow)
            case _:
                from featrix_server.serving import serve

                serve(settings)
    except process.ServerError as error:
        _complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def _describe(record: ServerRecord, data_dir: Path) -> str:
    return f"{record.url} (process {record.pid}, version {record.version}), data in {data_dir}"


def _complain(text: str) -> None:
    print(f"featrix-server: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
