"""A group of commands that answers a misspelt command with the nearest known one."""

import difflib

import click


class SuggestingGroup(click.Group):
    """Like `click.Group`, with a suggestion, and one line where a command is missing."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words that follow, or say which there may be."""
        if not args and not self.invoke_without_command and not ctx.resilient_parsing:
            # The answer of click is the whole help, as an error.
            known = ", ".join(self.list_commands(ctx))
            raise click.UsageError(f"missing command of {ctx.command_path!r}: expected one of {known}", ctx)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            known = self.list_commands(ctx)
            close = difflib.get_close_matches(name.lower(), known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(known)}"
            raise click.UsageError(f"unknown command {name!r}: {hint}", ctx)
        return super().resolve_command(ctx, args)
