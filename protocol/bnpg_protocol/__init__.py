"""How the processes of a run speak: messages, codec, ordering, transports."""
