"""The commands, one file each; `bot.cli` has the table."""
