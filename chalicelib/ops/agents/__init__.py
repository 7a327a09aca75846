"""Tools for agents: operations of the desks and a few commands, served by the Model Context Protocol (T141, T142).

``operations`` says which there are, from the OpenAPI descriptions; ``calling`` calls them and bounds what comes back;
``serving`` is the protocol, and the one module that imports its library.
"""
