"""Where the parts of an ensemble lie: beside the training of the member that drives.

NAME/best             the checkpoint that drives
NAME_member_2/best    of further members, whose disagreement with it is measured
NAME_gate             when it asks for help (`policies.gate_folder`)
"""

from __future__ import annotations

from glob import escape
from pathlib import Path

from robot_learning.core.errors import ConfigurationError

CHECKPOINT_NAME, GATE_NAME = "checkpoint.json", "gate.json"
BEST = "best"
_MEMBER, _GATE = "_member_", "_gate"


def best_checkpoint(folder: str | Path) -> Path:
    """The checkpoint that a folder stands for, wherever one may be named.

    That is the folder itself, the best one of the training in it, or that of the only training
    in folders of its own there, as studies have them (`seed_0/best`). A folder that holds none of
    these is returned as it is: its reader says what is missing.

    Raises:
        ConfigurationError: there are several trainings; the text lists them.
    """
    place = Path(folder).expanduser()
    if (place / CHECKPOINT_NAME).exists() or not place.is_dir():
        return place
    if (place / BEST).is_dir():
        return place / BEST
    found = [path.parent for path in place.glob(f"*/{BEST}/{CHECKPOINT_NAME}")]
    if len(found) > 1:
        names = sorted((path.parent.name for path in found), key=lambda name: (len(name), name))
        raise ConfigurationError(
            f"{place}: several trainings are here, name one: {', '.join(names)}"
        )
    return found[0] if found else place


def member_folders(first: Path, members: int) -> list[Path]:
    """Where the members of an ensemble are trained, the one that drives in `first`."""
    others = [first.with_name(f"{first.name}{_MEMBER}{k}") for k in range(2, members + 1)]
    return [first, *others]


def ensemble_members(checkpoint: str | Path) -> list[str]:
    """The other members' checkpoints of the ensemble whose first one this is; may be none."""
    place = Path(checkpoint).expanduser().resolve()
    first, name = escape(place.parent.name), escape(place.name)
    found = place.parent.parent.glob(f"{first}{_MEMBER}*/{name}/{CHECKPOINT_NAME}")
    return sorted(str(path.parent) for path in found)


def gate_folder(checkpoint: str | Path) -> Path:
    """Where it is kept when this checkpoint asks for help, if that was found out."""
    first = Path(checkpoint).expanduser().resolve().parent
    return first.with_name(f"{first.name}{_GATE}")


def known_gate(checkpoint: str | Path) -> str:
    """That folder, or nothing where there is no gate."""
    folder = gate_folder(checkpoint)
    return str(folder) if has_gate(folder) else ""


def has_gate(folder: Path) -> bool:
    """Whether there is a gate in it."""
    return (folder / GATE_NAME).is_file()
