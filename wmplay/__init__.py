"""wmplay: train a world model of a game in the background, then play inside its dream."""

__version__ = "0.1.0"
