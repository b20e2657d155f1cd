"""Users' pictures from folders, archives and single files, decoded to small arrays.

The files are untrusted, so every reader bounds memory and time. `picture_file` decodes one file, `colors` converts to sRGB,
`folder` and `archive` list the files, `decode` turns many into one array with classes.
"""
