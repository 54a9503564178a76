"""`wherry context …`: named engines, in the files that Docker's command line reads too."""
