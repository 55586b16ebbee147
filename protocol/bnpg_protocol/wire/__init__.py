"""What travels between processes: messages, their codec, links, what machines are told and ask for."""
