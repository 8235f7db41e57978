"""What the dashboard's threads tell its screen. A newer snapshot replaces an older one that was not handled yet."""

from __future__ import annotations

from textual.message import Message

from wmplay.tui.snapshot import Snapshot, Subject


class SnapshotArrived(Message):
    """The state was read again."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.snapshot = snapshot

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SnapshotArrived)


class PollFailed(Message):
    """The state could not be read at all; the poller goes on trying."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self.sentence = sentence

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, PollFailed)


class SubjectSelected(Message):
    """The person moved to another game, job or slot."""

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self.subject = subject


class CommandEnded(Message):
    """A wmplay command that the dashboard started has ended."""

    def __init__(self, title: str, code: int, output: str, quiet: bool = False) -> None:
        super().__init__()
        self.title = title
        self.code = code
        self.output = output
        self.quiet = quiet
