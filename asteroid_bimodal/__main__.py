"""`python -m asteroid_bimodal`: the command line."""

from .cli import main

main()
