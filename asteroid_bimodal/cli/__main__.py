"""`python -m asteroid_bimodal.cli`, as `python -m asteroid_bimodal`: the command line."""

from . import main

main()
