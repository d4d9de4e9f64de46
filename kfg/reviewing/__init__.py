"""`kfg review`: photographs that are worth a look, the most suspicious first, and a person's decisions on them.

The page works with a server or without one.
"""
