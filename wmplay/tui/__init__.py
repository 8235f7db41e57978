"""The dashboard: a Textual app that watches the core's state and acts by starting wmplay commands."""
