"""Campaigns that try to make kfg lose results; recipes/reliability/README.md describes them and how to run them."""
