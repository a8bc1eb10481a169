"""`python -m jaxcoord` is the command `jaxcoord`."""

from jaxcoord.cli.main import main

if __name__ == "__main__":
    main()
