"""The recipes' miniature data sets: rendered on the spot, nothing to download.

Same folder layout and manifests as the full sets, so that the same code reads them. Rendering needs
`pip install "asteroid-bimodal[recipes]"`; the folder that this package is in has to be on the path,
as `egs/utils/prepare.py` and the other scripts have it.
"""
