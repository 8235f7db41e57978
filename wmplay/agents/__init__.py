"""Who acts: random and scripted players, controllers trained on a world model, planners."""
