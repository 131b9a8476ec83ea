"""``python -m saddle`` is the command ``attention-phase``."""

from saddle.cli import main

if __name__ == "__main__":
    main()
