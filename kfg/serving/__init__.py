"""`kfg serve`: a page and a JSON API on which a model can be tried."""
