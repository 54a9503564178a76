"""The table of `wherry context`."""

from wherry.cli.command import Entry, Group

group = Group(
    "context",
    "Manage contexts",
    {
        "create": Entry("context.change", "Create a context", "create_command"),
        "export": Entry("context.transfer", "Export a context to a file", "export_command"),
        "import": Entry("context.transfer", "Import a context from a file", "import_command"),
        "inspect": Entry("context.look", "Display detailed information", "inspect_command"),
        "ls": Entry("context.look", "List contexts", "list_command"),
        "rm": Entry("context.choose", "Remove one or more contexts", "remove_command"),
        "show": Entry("context.choose", "Print the name of the current context", "show_command"),
        "update": Entry("context.change", "Update a context", "update_command"),
        "use": Entry("context.choose", "Set the current context", "use_command"),
    },
    aliases={"list": "ls", "remove": "rm"},
)
