"""Playing a world, real or dreamt: the rules of a session without a screen, and its screens, window and terminal."""
