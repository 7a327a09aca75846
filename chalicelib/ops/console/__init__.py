"""The operator's console: ``tallybook console`` serves it to a browser on this machine.

``server`` answers on 127.0.0.1 alone, and carries out commands of a list; ``proofs`` runs verify and tells how far it
is; ``files`` has the page, which shares scripts and styles with ``apis/console``. A deployment has no route to it.
"""
