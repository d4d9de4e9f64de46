"""kfg: train, examine, repair and ship image classifiers for look-alike classes and few images."""

__version__ = "0.1.0"
