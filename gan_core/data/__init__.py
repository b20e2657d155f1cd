"""Real data by name: digits, torchvision's sets, Quick, Draw!, folders, archives, uploads, points in the plane.

Each data set's module has `source(request) -> LoadedData` for the registry. torch is imported only where torchvision reads.
`loading` goes from a config to arrays, `preview` does the same in a process that may be killed, `types` holds the shared
types, `download` fetches, `array_cache` caches decoded pictures, `storage` lists and deletes, `reading` decodes files.
"""
