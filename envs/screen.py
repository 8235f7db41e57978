"""A pygame window that shows frames, for environments made with `render_mode="human"`. Opens on the first frame."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Screen:
    """Shows uint8 frames [H, W, 3] at a steady rate."""

    def __init__(self, title: str, fps: int) -> None:
        self.title = title
        self.fps = fps
        self._window: Any = None
        self._clock: Any = None

    def show(self, frame: NDArray[np.uint8]) -> None:
        """Draw one frame and wait until it is due, so that the game runs at its own speed."""
        import pygame

        height, width = frame.shape[:2]
        if self._window is None:
            pygame.display.init()
            pygame.display.set_caption(self.title)
            self._window = pygame.display.set_mode((width, height))
            self._clock = pygame.time.Clock()
        pygame.event.pump()
        self._window.blit(pygame.image.frombuffer(frame.tobytes(), (width, height), "RGB"), (0, 0))
        pygame.display.flip()
        self._clock.tick(self.fps)

    def close(self) -> None:
        """Close the window if it was opened."""
        if self._window is not None:
            import pygame

            pygame.display.quit()
            self._window = None
