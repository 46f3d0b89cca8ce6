"""The name under which a program finds an emulated port: a link that replaces nobody's file."""

from __future__ import annotations

import contextlib
from pathlib import Path

from robot_learning.core.errors import ConfigurationError

_TERMINALS = "/dev/pts/"


class PortLink:
    """A link to a terminal, at a path that stays the same when the terminal changes."""

    def __init__(self, path: Path) -> None:
        """Prepare; nothing is made.

        Args:
            path: where the link is to be.
        """
        self._path = path
        self._target = ""

    def make(self, terminal: str) -> None:
        """Make the link; one that a killed emulator left there is replaced, and nothing else.

        Args:
            terminal: path of the terminal.

        Raises:
            ConfigurationError: Something is there, or no link can be made there; the text says
                what to do.
        """
        if self._is_left_over():
            self._path.unlink(missing_ok=True)
        try:
            self._path.symlink_to(terminal)
        except FileExistsError as error:
            raise ConfigurationError(self._occupied()) from error
        except OSError as error:
            raise ConfigurationError(
                f"no port can be made at {self._path}: {error.strerror}; see to the folder "
                f"{self._path.parent}, or choose another path with --port"
            ) from error
        self._target = terminal

    def remove(self) -> None:
        """Remove the link where it is still ours."""
        with contextlib.suppress(OSError):
            if self._target and self._links_to() == self._target:
                self._path.unlink()

    def _is_left_over(self) -> bool:
        return self._links_to().startswith(_TERMINALS) and not self._path.exists()

    def _links_to(self) -> str:
        return str(self._path.readlink()) if self._path.is_symlink() else ""

    def _occupied(self) -> str:
        terminal = self._links_to()
        if not terminal.startswith(_TERMINALS):
            return f"{self._path} is there already; choose another path for the port"
        return (
            f"{self._path} is there already and leads to {terminal}: choose another path if that "
            "is another emulator's port; if an emulator was killed, and the terminal is "
            f"somebody else's by now, remove the link (rm {self._path})"
        )
