"""The common parts of kfg's web servers: access control, limits, refusals, pages, pictures and listening."""
