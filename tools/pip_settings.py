"""Prints pip's settings, wherever they come from, as one configuration file."""

from __future__ import annotations

import ast
import subprocess
import sys
from configparser import RawConfigParser


def collect(listed: str) -> RawConfigParser:
    """Return what ``pip config list`` printed as a configuration; environment variables win, as they do in pip."""
    settings = RawConfigParser()
    for line in listed.splitlines():
        key, separator, value = line.partition("=")
        section, dot, name = key.rpartition(".")
        if not separator or not dot:
            continue
        section = "global" if section in (":env:", "") else section
        if not settings.has_section(section):
            settings.add_section(section)
        settings.set(section, name, str(ast.literal_eval(value)).replace("\n", "\n    "))
    return settings


def main() -> None:
    """Print the settings of the pip that belongs to the Python that runs this."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True, timeout=60
    )
    collect(listed.stdout).write(sys.stdout)


if __name__ == "__main__":
    main()
