"""The campaign that shows nothing is lost: what it is and how it is run stands in recipes/reliability/README.md."""
