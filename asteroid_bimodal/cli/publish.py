"""`asteroid-bimodal publish`: puts an experiment's best model on the hub."""

from __future__ import annotations

import argparse
from pathlib import Path

from .parsing import add_parser


def add_command(commands) -> None:
    parser = add_parser(
        commands,
        "publish",
        _publish,
        help="put an experiment's best model on the hub",
        examples=["exp/tag --dry-run", "exp/tag --repo user/name --bundle-encoder"],
    )
    add = parser.add_argument
    add(
        "experiment",
        type=Path,
        help="folder of the experiment, its publish_dir as it is, or a saved model",
    )
    add("--repo", help="user/name on the hub")
    add("--private", action="store_true", help="make a new repository private")
    add(
        "--bundle-encoder",
        action="store_true",
        help="add a copy of the query encoder, so that the model works with nothing else",
    )
    add(
        "--no-example",
        action="store_true",
        help="leave out recordings of the test set: the example and the report",
    )
    add("--license", default="mit", help="of the model, as the hub names it (%(default)s)")
    add(
        "--i-have-the-right-to-publish",
        action="store_true",
        help="of a model that was imported from others: their licence lets you pass it on",
    )
    add("--dry-run", action="store_true", help="write publish_dir/ only")


def _publish(args: argparse.Namespace) -> None:
    from ..hub import publish, write_publish_dir

    if not args.repo and not args.dry_run:
        raise ValueError("Where to? Add --repo user/name, or --dry-run.")
    options = {
        "bundle_encoder": args.bundle_encoder,
        "example": not args.no_example,
        "license_id": args.license,
        "may_publish": args.i_have_the_right_to_publish,
    }
    if args.dry_run:
        print(write_publish_dir(args.experiment, repo_id=args.repo, **options))
    else:
        print(publish(args.experiment, args.repo, private=args.private, **options))
