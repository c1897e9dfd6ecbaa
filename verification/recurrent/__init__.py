"""The recurrent network: activation, initial law of a unit, memory map, hidden layer."""
