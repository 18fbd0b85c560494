"""The command line as a whole: its commands, the options of all of them, completion."""
