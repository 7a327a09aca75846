"""Clock and ids, telemetry, redaction: imports nothing else of the program."""
