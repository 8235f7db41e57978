"""How fast this machine is at each thing wmplay does: games, data, dreams, training. What `wmplay bench` prints."""
