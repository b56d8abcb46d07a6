"""Generation on other computers, with Ray Serve.

    node.py      a computer of the cluster: Ray's own processes, and the connection to them
    replica.py   what runs on each worker: an engine, and how many of them there are
    files.py     LoRAs and images of the user on their way to a replica, named by what is in them
    backend.py   what the page calls: which replica, cancelling, again where a replica was lost

ray is imported inside functions only: it is an extra, and takes seconds to load.
"""
