"""Search over a recipe's settings: python -m kfg.search. A search survives kills and can use several machines.

KerasTuner's oracles choose the settings. Each trial is a process of its own, which runs the recipe on training and
validation images. The test images are read once, for the winner (`--finish`).
"""
