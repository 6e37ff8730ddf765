"""`python -m asteroid_bimodal.cli`."""

from . import main

main()
