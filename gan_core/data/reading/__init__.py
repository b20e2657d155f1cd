"""Pictures as people bring them: folders, archives and single files, decoded to small arrays.

Files come from strangers, so every reader bounds memory and time. `pictures` decodes one file, `colors` converts to sRGB,
`folder` and `archive` list the files, `decode` turns many into one array with classes.
"""
