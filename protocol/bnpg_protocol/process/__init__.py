"""What a process is: its loop, transports, security, faults, trace, telemetry, log and end."""
