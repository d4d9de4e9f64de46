"""The Keras models that kfg can build."""
