"""The command ``theorems``, also ``python -m theorems``."""

from theorems import CLAIMS
from verification import cli


def main() -> None:
    """Run the command on this project's claims."""
    cli.main(CLAIMS)


if __name__ == "__main__":
    main()
