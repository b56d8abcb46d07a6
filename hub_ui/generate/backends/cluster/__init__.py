"""Generation on other computers, with Ray Serve.

    node.py      a computer of the cluster: Ray's own processes, and the connection to them
    replica.py   what runs on each worker: an engine, how many of them there are, and the files on their way to it
    backend.py   what the page calls: which replica, cancelling, again where a replica was lost

ray is imported inside functions only: it is an extra, and takes seconds to load.
"""
