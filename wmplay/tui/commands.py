"""Every action of the dashboard, once: the table that feeds key bindings, footer, command palette and help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textual.binding import Binding

from wmplay.tui.snapshot import Kind


@dataclass(frozen=True)
class Command:
    """One action. `footer` names the kinds of selection under which the footer offers it; `needs` what it acts on."""

    id: str
    key: str
    title: str
    help: str
    group: str
    footer: tuple[Kind, ...] = ()
    needs: str = ""  # "", "game", "slot", "job": the footer and the palette say whose


ALL: tuple[Kind, ...] = ("game", "job", "slot")

COMMANDS: tuple[Command, ...] = (
    Command("train", "t", "Train", "Teach a new world model a game, in a background worker of its own.", "Learn",
            ALL),
    Command("collect", "c", "Collect", "Let a player play a game and record episodes to learn from.", "Learn",
            ("game",)),
    Command("further", "f", "Train further", "Go on training a slot whose training is done, for more minutes.",
            "Learn", ("job",), "slot"),
    Command("variant", "V", "Save a variant", "Keep the game with other parameters under a name, as a game of its own.",
            "Learn", (), "game"),
    Command("play", "p", "Play", "Play the real game in a window.", "Play", ("game",), "game"),
    Command("record", "R", "Play and record", "Play the real game and keep your episodes as data to train on.", "Play",
            (), "game"),
    Command("watch", "a", "Watch", "Watch the slot's agent, or else the game's expert, play.", "Play",
            ("game", "slot"), "game or slot"),
    Command("dream", "d", "Dream", "Drive inside the world model: it imagines every frame from your keys.", "Play",
            ALL, "slot"),
    Command("twin", "w", "Twin", "Real game and dream side by side under the same keys, with their difference.", "Play",
            ("job", "slot"), "slot"),
    Command("play_terminal", "P", "Play in the terminal", "Play the real game here, in half blocks, without a window.",
            "Play", (), "game"),
    Command("dream_terminal", "D", "Dream in the terminal", "Dream here, in half blocks, without a window.", "Play",
            (), "slot"),
    Command("game_keys", "K", "Keys of the game", "Read what each key does in the game and its dreams.", "Play", (),
            "game"),
    Command("change_keys", "C", "Change keys", "Give the game other keys; they are kept for its play and its dreams.",
            "Play", (), "game"),
    Command("pause", "space", "Pause", "Hold the job; a paused job costs no processor time.", "Jobs", ("job",), "job"),
    Command("resume", "r", "Resume", "Go on with a paused job, or from the last checkpoint of one that ended.", "Jobs",
            ("job",), "job"),
    Command("save", "s", "Save", "Write a checkpoint of the job now.", "Jobs", ("job",), "job"),
    Command("stop", "x", "Stop", "Save and end the job; its slot stays and can be resumed.", "Jobs", ("job",), "job"),
    Command("log", "l", "Log", "Read what the job's worker has printed.", "Jobs", ("job",), "job"),
    Command("report", "e", "Report", "Measure the slot on held-out episodes and write its report card.", "Slots",
            ("slot",), "slot"),
    Command("copy", "y", "Copy", "Copy the slot under a new name.", "Slots", (), "slot"),
    Command("rename", "n", "Rename", "Give the slot another name.", "Slots", (), "slot"),
    Command("delete", "delete", "Delete", "Delete the slot from this computer, after asking.", "Slots", (), "slot"),
    Command("export", "o", "Export", "Pack the slot into one file that anybody can import.", "Slots", (), "slot"),
    Command("import", "i", "Import", "Unpack a slot from a file; damaged or unsafe files are refused.", "Slots"),
    Command("verify", "k", "Verify", "Check every file of the slot against its checksums.", "Slots", (), "slot"),
    Command("menu", "enter", "Menu", "Everything that can be done with the selection.", "Look"),
    Command("view", "v", "View", "Switch between curves and pictures where there is room for one only.", "Look"),
    Command("metric", "m", "Next curve", "Show the next metric's curve.", "Look", ("job",)),
    Command("games", "1", "Games", "Go to the games: real environments to play and to learn from.", "Look"),
    Command("jobs", "2", "Jobs", "Go to the jobs: training that runs in the background, also while this is closed.",
            "Look"),
    Command("slots", "3", "Slots", "Go to the slots: saved world models, each with all that goes with it.", "Look"),
    Command("problems", "exclamation_mark", "Messages", "Read again, and copy, every problem of this session.", "Look"),
    Command("help", "question_mark", "Help", "All keys, and what the things here are.", "Look", ALL),
    Command("quit", "q", "Quit", "Close the dashboard. Workers and windows go on.", "Look", ALL),
)  # fmt: skip

WORDS: tuple[tuple[str, str], ...] = (
    ("game", "a real environment, to play and to learn from"),
    (
        "world model",
        "a network that has learned to imagine a game; its family is its architecture, its preset its size",
    ),
    ("dream", "a world model running as a game: it imagines each frame from your keys"),
    ("slot", "a folder that holds one saved world model with all that goes with it"),
    ("job", "a background worker that trains a slot, phase by phase"),
    ("agent", "whatever picks actions: you, a scripted player, a trained controller"),
    ("data", "recorded episodes; held-out ones are only ever used to measure"),
    ("report card", "how true a slot's dreams are, measured on held-out episodes; skill 1 is perfect, 0 is no use"),
)


def command(id_: str) -> Command:
    """The command with this id; KeyError if there is none."""
    return {entry.id: entry for entry in COMMANDS}[id_]


def bindings() -> list[Binding]:
    """A binding per command, with the command's id, so that a keymap file may move it to another key."""
    return [Binding(entry.key, f"do('{entry.id}')", entry.title, id=entry.id, tooltip=entry.help) for entry in COMMANDS]


def keys(keymap: Mapping[str, str]) -> dict[str, str]:
    """Command id → the key a person sees, after the person's own keymap."""
    return {entry.id: pretty_key(keymap.get(entry.id, entry.key)) for entry in COMMANDS}


def pretty_key(key: str) -> str:
    """A key as it stands on the keyboard: question_mark → ?."""
    names = {"question_mark": "?", "exclamation_mark": "!", "space": "␣", "delete": "del", "enter": "⏎"}
    first = key.split(",")[0].strip()
    return names.get(first, first)
