"""Draw figures: learning curves, confusion matrices, recalls, arms, parts of an image.

`kfg.evaluation` computes the values that they show.
"""
