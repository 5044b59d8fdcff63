"""What each command of `kilofield` does; `cli.py` declares them, and their options and help.

    errors.py     one line on stderr instead of a traceback, exit codes
    arguments.py  sizes, colours, and outputs that may be written
    console.py    what is printed: tables, notes, progress, JSON

One file a command beside these. Everything heavy is imported inside the function that needs it.
"""
