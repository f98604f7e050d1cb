"""`python -m automl`: the command `automl`, also where it is not on the path."""

from automl.cli import main

if __name__ == "__main__":
    main()
