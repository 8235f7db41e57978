"""Facts that all rooms share: paths, catalog, slots, runs, jobs, episodes. No torch, textual, pygame or gymnasium."""
