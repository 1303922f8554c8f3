"""`tagboat`, and `python -m bot`."""

from __future__ import annotations

import gc
import sys

# Files and listings become many small objects that live for a moment and hardly ever form cycles: looking for cycles at the usual
# pace took an eighth of `tagboat check`.
_OBJECTS_BEFORE_A_LOOK = (50_000, 20, 20)


def main() -> None:
    """Run the command line and exit with its status."""
    gc.set_threshold(*_OBJECTS_BEFORE_A_LOOK)
    from bot.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
