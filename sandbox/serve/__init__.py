"""The sandbox's account over HTTP: for the ``aws`` and ``certifier`` commands of other terminals.

``http`` and ``wire`` serve it, ``estate`` is what is there at first, ``account`` joins them to a
world that can be reset, ``session`` is its beginning and end, ``watch`` outlives a killed process,
``folder`` is what other terminals read, and ``command`` is the command line.
"""
