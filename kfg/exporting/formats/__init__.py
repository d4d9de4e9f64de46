"""The formats that a model can be exported to, one module each; see kfg.exporting.formats.protocol."""
