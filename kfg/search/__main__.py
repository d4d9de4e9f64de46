"""python -m kfg.search."""

from kfg.search.command import main

if __name__ == "__main__":
    raise SystemExit(main())
