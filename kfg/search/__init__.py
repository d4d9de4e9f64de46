"""Searches over a recipe's settings that survive, share work and spread over machines: python -m kfg.search.

KerasTuner's oracles choose the settings; each trial is a process of its own that runs the recipe on training and
validation images. The test images are read once, for the winner (`--finish`).
"""
