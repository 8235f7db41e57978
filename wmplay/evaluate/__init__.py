"""How true a dream is: fidelity on held-out play, returns, the report card, its pictures, and what is wrong and why."""
