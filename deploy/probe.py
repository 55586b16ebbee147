#!/usr/bin/env python3
"""Health check of a container: asks the process in it for /health. Exit 0 healthy, 1 not."""

import sys
import urllib.error
import urllib.request

URL = "http://127.0.0.1:9000/health"

try:
    with urllib.request.urlopen(URL, timeout=3) as answer:  # noqa: S310 - a fixed loopback address
        print(answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.read().decode())
    sys.exit(1)
except OSError as error:
    print(f"no answer at {URL}: {error}")
    sys.exit(1)
