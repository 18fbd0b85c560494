"""The command line as a whole: commands, shared options, completion."""
