"""How true a dream is: fidelity on held-out play, returns, the report card and its pictures, and diagnosis of faults."""
