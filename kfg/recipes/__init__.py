"""One module per study, each a program: python -m kfg.recipes.NAME."""
