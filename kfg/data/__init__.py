"""Folders of photographs: scan, audit, split, decode."""
