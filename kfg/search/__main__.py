"""python -m kfg.search."""

if __name__ == "__main__":
    from kfg import program

    program.begin()
    from kfg.search.command import main

    raise SystemExit(main())
