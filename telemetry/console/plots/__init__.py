"""Plots: small functions from numbers to SVG. Colours are classes of the stylesheet, geometry is in attributes."""
