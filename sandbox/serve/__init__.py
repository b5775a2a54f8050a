"""The sandbox's account over HTTP: for the ``aws`` and ``certifier`` commands of other terminals.

``http`` serves it, ``acts`` plays the team and the world, ``estate`` is what is there at first,
``account`` joins them and holds the folder, ``watch`` outlives a killed process, and ``command`` is
the command line.
"""
