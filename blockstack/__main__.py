"""``python -m blockstack``: the command, without its script."""

from blockstack.cli import main

if __name__ == "__main__":
    main()
