"""Pictures: learning curves, confusion matrices, recalls, arms, parts of an image. What they show, `kfg.evaluation`
computes.
"""
