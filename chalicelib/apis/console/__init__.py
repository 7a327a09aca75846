"""The console: a page that shows a market live, and places orders by requests that the browser signs.

``files/`` has what the browser gets. The page calls the trade desk, and follows its WebSocket; nothing here knows a
customer.
"""
