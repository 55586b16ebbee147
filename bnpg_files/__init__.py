"""The one door by which files come in.

What stands at a path was perhaps written by somebody else, half written, or is no file at all. Whoever reads
a file of this project reads it by `bnpg_files.reading`: regular files only, of a bounded size, decoded by the
type that is expected, and whatever is wrong is one line.
"""
